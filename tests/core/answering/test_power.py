"""The power fails: what was not flushed is gone, what was renamed may or may not be. A whole checkpoint is left.

The calls of saving are recorded, played on a model of a disk, and the power cut after each of them, in two ways: with
no name on the disk that was not flushed, and with every name there but no byte that was not flushed.
"""

from __future__ import annotations

import builtins
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from core import checkpoint, storage, weights_file

from ..patched_os import patch_os


class Recorder:
    """What is done to the files below ``root``, in order."""

    def __init__(self, patch: pytest.MonkeyPatch, root: Path) -> None:
        self.root = root
        self.calls: list[tuple[str, Path, Any]] = []
        for name in ("rename", "replace"):
            patch_os(patch, name, self.renaming(getattr(os, name)))
        self.mkdir, self.fsync = os.mkdir, os.fsync
        patch_os(patch, "mkdir", self.making)
        patch_os(patch, "fsync", self.flushing)
        for module in (checkpoint, storage, weights_file):
            patch.setattr(module, "open", self.opening, raising=False)
            patch.setattr(module, "remove_tree", self.removing, raising=False)

    def note(self, what: str, path: Path, more: Any = None) -> None:
        self.calls.append((what, Path(path).relative_to(self.root), more))

    def renaming(self, real: Callable[..., None]) -> Callable[..., None]:
        def call(old: Path, new: Path) -> None:
            real(old, new)
            self.note("rename", old, Path(new).relative_to(self.root))

        return call

    def making(self, path: Path, *rest: Any) -> None:
        self.mkdir(path, *rest)
        self.note("mkdir", path)

    def flushing(self, number: int) -> None:
        self.fsync(number)
        path = Path(os.readlink(f"/proc/self/fd/{number}"))
        self.note("fsync", path, path.read_bytes() if path.is_file() else None)

    def opening(self, path: Path, mode: str = "r", **more: Any) -> Any:
        if "w" in mode:
            self.note("create", path)
        return builtins.open(path, mode, **more)

    def removing(self, path: Path) -> None:
        if path.exists():
            self.note("remove", path)
            shutil.rmtree(path)


class Node:
    """A file or folder as programs see it and as it lies on the disk."""

    def __init__(self, folder: bool) -> None:
        self.folder = folder
        self.flushed = b""
        self.names: dict[str, Node] = {}
        self.flushed_names: dict[str, Node] = {}

    @classmethod
    def of(cls, path: Path) -> Node:
        """What has lain there for long."""
        node = cls(path.is_dir())
        if node.folder:
            node.names = {child.name: cls.of(child) for child in path.iterdir()}
            node.flushed_names = dict(node.names)
        else:
            node.flushed = path.read_bytes()
        return node

    def at(self, path: Path) -> Node:
        node = self
        for part in path.parts:
            node = node.names[part]
        return node

    def play(self, what: str, path: Path, more: Any) -> None:
        if what == "fsync":
            node = self.at(path)
            node.flushed_names = dict(node.names)
            node.flushed = more or b""
            return
        names = self.at(path.parent).names
        if what in ("mkdir", "create"):
            names[path.name] = Node(what == "mkdir")
        elif what == "remove":
            del names[path.name]
        else:
            self.at(more.parent).names[more.name] = names.pop(path.name)

    def after_the_failure(self, path: Path, *, names: bool) -> None:
        """Write what is left; ``names``: those that were not flushed too."""
        if not self.folder:
            path.write_bytes(self.flushed)
            return
        path.mkdir()
        for name, node in (self.names if names else self.flushed_names).items():
            node.after_the_failure(path / name, names=names)


def save(folder: Path, step: int) -> None:
    checkpoint.save(folder, {"step": step}, "{}", {"w": torch.full((3,), float(step))}, {"m": torch.zeros(3)})


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux")
@pytest.mark.parametrize("names", [False, True], ids=["names lost", "names kept"])
def test_a_power_failure_after_any_call(tmp_path: Path, names: bool) -> None:
    root = tmp_path / "checkpoints"
    root.mkdir()
    save(root / "step-00000002", 2)
    save(root / "best", 2)
    disk = Node.of(root)
    with pytest.MonkeyPatch.context() as patch:
        recorder = Recorder(patch, root)
        save(root / "step-00000004", 4)
        checkpoint.prune(root, 1)
        save(root / "best", 4)
        save(root / "step-00000004", 4)  # as after going back, or when asked for twice
    assert len(recorder.calls) > 50
    seen: list[tuple[int, int]] = []
    for number, call in enumerate([("fsync", Path(), None), *recorder.calls]):
        disk.play(*call)
        left = tmp_path / str(number)
        disk.after_the_failure(left, names=names)
        checkpoint.mend(left)
        last, best = checkpoint.newest(left)[0], checkpoint.resolve(left, "best")
        seen.append((checkpoint.load(last)[0]["step"], checkpoint.load(best)[0]["step"]))
    assert seen[0] == (2, 2)
    assert seen[-1] == (4, 4)
    assert [last for last, _ in seen] == sorted(last for last, _ in seen), "once it is there, it stays"
    assert [best for _, best in seen] == sorted(best for _, best in seen)
