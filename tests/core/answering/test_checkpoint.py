"""Checkpoints: whole or not at all, whatever happens while they are written or afterwards."""

from __future__ import annotations

import ast
import builtins
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import core
from core import checkpoint, storage, weights_file
from core.checkpoint import (
    load,
    newest,
    prune,
    resolve,
    save,
    step_checkpoints,
    step_folder,
    verify,
)
from core.errors import CheckpointError

from ..patched_os import patch_os

FILES = ("model.safetensors", "optimizer.safetensors", "state.json", "tokenizer.json", "manifest.json")
TOKENIZER = '{"a": "鲸"}'


def weights(value: float = 1.0) -> dict[str, Tensor]:
    return {
        "a.weight": torch.full((3, 4), value),
        "a.bias": torch.arange(5, dtype=torch.bfloat16),
        "b.int8": torch.tensor([[-127, 127]], dtype=torch.int8),
        "scalar": torch.tensor(value),
        "empty": torch.zeros(0, 3),
    }


def memory(value: float = 1.0) -> dict[str, Tensor]:
    return {"moment": torch.full((12,), value), "step": torch.tensor([7], dtype=torch.int64)}


def write(folder: Path, value: float = 1.0) -> Path:
    save(folder, {"step": int(value), "note": "水"}, TOKENIZER, weights(value), memory(value))
    return folder


def value_of(folder: Path) -> float:
    """Which of the states that ``write`` makes a folder holds; all its parts must agree."""
    state, found, optimizer = load(folder, optimizer=True)
    values = {
        float(state["step"]),
        float(found["scalar"]),
        float(found["a.weight"][0, 0]),
        float(optimizer["moment"][0]),
    }
    assert len(values) == 1
    assert (folder / "tokenizer.json").read_text(encoding="utf-8") == TOKENIZER
    return values.pop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "checkpoints" / "step-00000001")


# -- saving and loading ---------------------------------------------------------------------------------------


def test_what_was_saved_comes_back(folder: Path) -> None:
    state, found, optimizer = load(folder, optimizer=True)
    assert state == {"step": 1, "note": "水"}
    for wanted, got in ((weights(), found), (memory(), optimizer)):
        assert set(got) == set(wanted)
        assert all(torch.equal(got[name], wanted[name]) for name in wanted)
    assert load(folder)[2] == {}
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)


def test_without_optimizer_memory(tmp_path: Path) -> None:
    size = save(tmp_path / "best", {"step": 3}, TOKENIZER, weights())
    assert load(tmp_path / "best", optimizer=True)[2] == {}
    listed = [path for path in (tmp_path / "best").iterdir() if path.name != "manifest.json"]
    assert size == sum(path.stat().st_size for path in listed)


def test_the_manifest_says_what_is_there(folder: Path) -> None:
    manifest = verify(folder)
    assert manifest["format"] == 1
    assert set(manifest["files"]) == set(FILES) - {"manifest.json"}
    for name, entry in manifest["files"].items():
        assert entry["bytes"] == (folder / name).stat().st_size


def test_a_state_with_no_number_is_refused_before_anything_changes(folder: Path) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        save(folder, {"step": 2, "loss": float("nan")}, TOKENIZER, weights(2.0))
    assert value_of(folder) == 1.0
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_saving_again_replaces_all_of_the_old_one(folder: Path) -> None:
    write(folder, 2.0)
    assert value_of(folder) == 2.0
    save(folder, {"step": 3}, TOKENIZER, weights(3.0))
    assert not (folder / "optimizer.safetensors").exists()
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_files_follow_the_umask_and_folders_are_private(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        folder = write(tmp_path / "checkpoints" / "best")
    finally:
        os.umask(before)
    for path in (folder, folder.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in FILES} == {mode}


def test_no_code_is_ever_loaded() -> None:
    """Neither pickle nor anything built on it, nor code made from text, in the whole engine."""
    forbidden_modules = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve", "cloudpickle"}
    files = sorted(Path(core.__file__).parent.rglob("*.py"))
    assert len(files) > 25
    found = []
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            where = f"{file.name}:{getattr(node, 'lineno', 0)}"
            imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            imported += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if {name.partition(".")[0] for name in imported} & forbidden_modules:
                found.append(where)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if node.value.id in ("torch", "np", "numpy") and node.attr in ("load", "save", "fromfile"):
                    found.append(where)
                if (node.value.id, node.attr) == ("yaml", "load"):
                    found.append(where)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
                found.append(where)
    assert found == []


# -- damage ---------------------------------------------------------------------------------------------------


def flip(place: float, bit: int = 0) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[min(len(data) - 1, int(place * len(data)))] ^= 1 << bit
        path.write_bytes(data)

    return damage


def truncate(share: float) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        data = path.read_bytes()
        path.write_bytes(data[: min(len(data) - 2, int(share * len(data)))])

    return damage


def swap(path: Path) -> None:
    data = path.read_bytes()
    i = next(i for i in range(len(data) // 2, len(data)) if data[i] != data[i - 1])
    path.write_bytes(data[: i - 1] + data[i : i + 1] + data[i - 1 : i] + data[i + 1 :])


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def as_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def as_link(path: Path) -> None:
    elsewhere = path.parent.parent / f"elsewhere-{path.name}"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


DAMAGES: dict[str, Callable[[Path], object]] = {
    **{f"flip-{place}-{bit}": flip(place, bit) for place in (0.0, 0.3, 0.6, 0.97) for bit in (0, 6)},
    **{f"truncate-{share}": truncate(share) for share in (0.0, 0.25, 0.5, 1.0)},
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "swapped": swap,
    "grown": grow,
    "gone": Path.unlink,
    "folder": as_folder,
    "fifo": as_fifo,
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_any_damage_is_found_and_named(folder: Path, name: str, damage: Callable[[Path], object]) -> None:
    damage(folder / name)
    with pytest.raises(CheckpointError) as problem:
        load(folder, optimizer=True)
    # In a damaged manifest the name of another file may be wrong: then that one is missed.
    assert str(folder if name == "manifest.json" else folder / name) in str(problem.value)
    assert "\n" not in str(problem.value)


def test_links_are_not_followed_out_of_a_checkpoint(folder: Path) -> None:
    as_link(folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"model\.safetensors: is a link"):
        verify(folder)


def test_every_flipped_byte_of_the_small_files_is_found(folder: Path) -> None:
    for name in ("manifest.json", "state.json", "model.safetensors"):
        path = folder / name
        whole = path.read_bytes()
        for i in range(len(whole) - (name == "manifest.json")):
            path.write_bytes(whole[:i] + bytes([whole[i] ^ (1 << i % 8)]) + whole[i + 1 :])
            with pytest.raises(CheckpointError):
                verify(folder)
        path.write_bytes(whole)
    verify(folder)


Manifest = dict[str, Any]
ENTRY = {"bytes": 0, "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["files"].update({"../outside": ENTRY}),
        lambda m: m["files"].update({"/etc/hostname": ENTRY}),
        lambda m: m["files"].update({"a/b": ENTRY}),
        lambda m: m["files"].update({"a\\b": ENTRY}),
        lambda m: m["files"].update({"..": ENTRY}),
        lambda m: m["files"].update({".": ENTRY}),
        lambda m: m["files"].update({"": ENTRY}),
        lambda m: m["files"].update({"a\0b": ENTRY}),
        lambda m: m["files"].update({"a\nb": ENTRY}),
        lambda m: m["files"].update({"n" * 5000: ENTRY}),
        lambda m: m["files"].update({"missing.bin": ENTRY}),
        lambda m: m["files"].update({"state.json": 3}),
        lambda m: m["files"].update({"state.json": []}),
        lambda m: m["files"].update({"state.json": {}}),
        lambda m: m["files"]["state.json"].pop("sha256"),
        lambda m: m["files"]["state.json"].pop("bytes"),
        lambda m: m["files"]["state.json"].update(bytes="17"),
        lambda m: m["files"]["state.json"].update(sha256=None),
        lambda m: m["files"].pop("model.safetensors"),
        lambda m: m["files"].pop("state.json"),
        lambda m: m["files"].pop("tokenizer.json"),
        lambda m: m.update(files=[]),
        lambda m: m.update(files=None),
        lambda m: m.update(format=2),
        lambda m: m.update(format="1"),
        lambda m: m.pop("format"),
        lambda m: m.clear(),
    ],
)
def test_manifests_that_lie_are_refused(folder: Path, change: Callable[[Manifest], object]) -> None:
    (folder.parent / "outside").write_bytes(b"")
    manifest = json.loads((folder / "manifest.json").read_bytes())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(CheckpointError) as problem:
        load(folder)
    assert len(str(problem.value)) < 300


@pytest.mark.parametrize(
    "text", ["[]", "3", '"x"', "null", "", "{", '{"files": ' + "[" * 100_000, '{"format": ' + "9" * 9999]
)
def test_manifests_that_are_none_are_refused(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"manifest\.json"):
        verify(folder)


def test_a_state_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "x")
    (folder / "state.json").write_text("[1]", encoding="utf-8")
    resign(folder)
    with pytest.raises(CheckpointError, match="not a state"):
        load(folder)


def resign(folder: Path) -> None:
    """Make a manifest fit files that were changed on purpose."""
    import hashlib

    manifest = json.loads((folder / "manifest.json").read_bytes())
    for name, entry in manifest["files"].items():
        data = (folder / name).read_bytes()
        entry.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


# -- power failures and full disks ----------------------------------------------------------------------------


class Crash(BaseException):
    """The process is gone: nothing of it runs any more."""


class Disk:
    """Counts what is done to the disk and, at a given moment, crashes or says that it is full."""

    def __init__(self, patch: pytest.MonkeyPatch, at: int, failure: BaseException) -> None:
        self.count, self.at, self.failure = 0, at, failure
        self.log: list[tuple[str, str]] = []
        real = {name: getattr(os, name) for name in ("rename", "replace", "fsync")}
        self.remove_tree = storage.remove_tree

        for name in real:
            patch_os(patch, name, self.watched(name, real[name]))
        for module in (checkpoint, storage, weights_file):
            patch.setattr(module, "open", self.open, raising=False)
        patch.setattr(checkpoint, "remove_tree", self.remove)
        patch.setattr(Path, "unlink", self.watched_unlink(Path.unlink))

    @property
    def dead(self) -> bool:
        return self.count > self.at >= 0 and isinstance(self.failure, Crash)

    def tick(self, what: str, path: str) -> None:
        if self.dead:
            raise Crash
        self.count += 1
        self.log.append((what, path))
        if self.count == self.at + 1:
            raise self.failure

    def watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(first: Any, *rest: Any, **more: Any) -> Any:
            self.tick(name, os.readlink(f"/proc/self/fd/{first}") if name == "fsync" else str(first))
            return real(first, *rest, **more)

        return call

    def watched_unlink(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Path, *args: Any, **more: Any) -> Any:
            if self.dead:
                raise Crash
            return real(path, *args, **more)

        return call

    def remove(self, path: Path) -> None:
        if self.dead:
            raise Crash
        self.remove_tree(path)

    def open(self, path: Path, mode: str = "r", **more: Any) -> Any:
        file = builtins.open(path, mode, **more)  # noqa: SIM115
        return Half(file, self, str(path)) if "w" in mode else file


class Half:
    """A file of which, at the moment of the failure, only half of a piece gets written."""

    def __init__(self, file: Any, disk: Disk, path: str) -> None:
        self.file, self.disk, self.path = file, disk, path

    def write(self, data: Any) -> None:
        try:
            self.disk.tick("write", self.path)
        except BaseException:
            self.file.write(bytes(data)[: len(data) // 2])
            self.file.flush()
            raise
        self.file.write(data)

    def __enter__(self) -> Half:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


@contextmanager
def disk(at: int = -1, failure: BaseException | None = None) -> Iterator[Disk]:
    with pytest.MonkeyPatch.context() as patch:
        yield Disk(patch, at, failure or Crash())


def operations(tmp_path: Path, *, replacing: bool) -> int:
    folder = tmp_path / "count" / "best"
    if replacing:
        write(folder, 1.0)
    with disk() as watched:
        write(folder, 2.0)
        return watched.count


@pytest.mark.parametrize("replacing", [False, True], ids=["new", "replacing"])
def test_a_crash_at_any_moment_leaves_the_old_or_the_new_one_whole(tmp_path: Path, replacing: bool) -> None:
    total = operations(tmp_path, replacing=replacing)
    assert total > 20
    seen = []
    for moment in range(total):
        folder = tmp_path / str(moment) / "best"
        if replacing:
            write(folder, 1.0)
        with disk(moment), pytest.raises(Crash):
            write(folder, 2.0)
        if replacing:
            seen.append(value_of(resolve(folder.parent, "best")))
        elif folder.exists():
            seen.append(value_of(folder))
        else:
            seen.append(0.0)
            with pytest.raises(CheckpointError):
                resolve(folder.parent, "best")
        # The next one is written as if nothing had happened, and nothing is left lying about.
        write(folder, 3.0)
        prune(folder.parent, 2)
        assert value_of(folder) == 3.0
        assert [path.name for path in folder.parent.iterdir() if path.name != ".best.old"] == ["best"]
    assert seen == sorted(seen), "once the new one is there, it stays"
    assert set(seen) == ({1.0, 2.0} if replacing else {0.0, 2.0})


def test_between_the_two_renames_the_old_one_is_found(tmp_path: Path) -> None:
    folder = write(tmp_path / "best", 1.0)
    with disk() as watched:
        write(folder, 2.0)
        renames = [i for i, (what, _) in enumerate(watched.log) if what == "rename"]
    assert len(renames) == 2
    folder = write(tmp_path / "again" / "best", 1.0)
    with disk(renames[1]), pytest.raises(Crash):
        write(folder, 2.0)
    assert not folder.exists()
    found = resolve(folder.parent, "best")
    assert found.name == ".best.old"
    assert value_of(found) == 1.0


@pytest.mark.parametrize("replacing", [False, True], ids=["new", "replacing"])
def test_a_full_disk_at_any_moment_is_told_and_leaves_no_half(tmp_path: Path, replacing: bool) -> None:
    total = operations(tmp_path, replacing=replacing)
    for moment in range(total):
        folder = tmp_path / str(moment) / "best"
        if replacing:
            write(folder, 1.0)
        with disk(moment, OSError(28, "No space left on device")), pytest.raises(OSError, match="No space"):
            write(folder, 2.0)
        if replacing:
            assert value_of(folder) in (1.0, 2.0)
        elif folder.exists():
            assert value_of(folder) == 2.0
        left = [path.name for path in folder.parent.iterdir()] if folder.parent.exists() else []
        assert [name for name in left if name.endswith(".tmp")] == []


def test_every_byte_is_on_the_disk_before_the_name(tmp_path: Path) -> None:
    """Write, flush, fsync each file and its folder; only then rename, then fsync the parent."""
    folder = tmp_path / "best"
    with disk() as watched:
        write(folder)
        log = watched.log
    rename = next(i for i, (what, _) in enumerate(log) if what == "rename")
    temporary = log[rename][1]
    flushed = [path for what, path in log[:rename] if what == "fsync"]
    for name in FILES[:-1]:
        file = f"{temporary}/{name}"
        last_write = max(i for i, entry in enumerate(log) if entry == ("write", file))
        assert log.index(("fsync", file)) > last_write
    assert flushed.index(f"{temporary}/{FILES[0]}") < flushed.index(temporary)
    assert log[rename + 1 :] == [("fsync", str(tmp_path))]
    (manifest,) = [i for i, (what, path) in enumerate(log) if what == "replace" and "manifest" in path]
    assert not [path for what, path in log[manifest:] if what == "write"], "the manifest comes last"
    assert ("fsync", temporary) in log[manifest:rename]


# -- finding them ---------------------------------------------------------------------------------------------


@pytest.fixture
def many(tmp_path: Path) -> Path:
    for step in (3, 20, 100):
        write(step_folder(tmp_path, step), float(step))
    return tmp_path


def test_step_checkpoints_are_listed_newest_first(many: Path) -> None:
    for name in ("best", "step-1", "step-000000001", "xstep-00000001", ".step-00000200.9.tmp", ".step-00000100.old"):
        (many / name).mkdir()
    (many / "step-00000999").write_text("a file")
    assert [path.name for path in step_checkpoints(many)] == ["step-00000100", "step-00000020", "step-00000003"]
    assert step_checkpoints(many / "nowhere") == []


def test_newest_skips_damaged_ones_and_names_them(many: Path) -> None:
    assert newest(many) == (step_folder(many, 100), [])
    flip(0.5)(step_folder(many, 100) / "optimizer.safetensors")
    found, problems = newest(many)
    assert found == step_folder(many, 20)
    assert len(problems) == 1
    assert "step-00000100/optimizer.safetensors" in problems[0]
    (step_folder(many, 20) / "state.json").unlink()
    found, problems = newest(many)
    assert found == step_folder(many, 3)
    assert len(problems) == 2
    (step_folder(many, 3) / "manifest.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"no whole checkpoint: .*step-00000100"):
        newest(many)


def test_newest_of_nothing(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(CheckpointError, match="no checkpoint yet"):
            newest(folder)


def test_resolve(many: Path) -> None:
    best = write(many / "best", 5.0)
    assert resolve(many, "last") == step_folder(many, 100)
    assert resolve(many, "best") == best
    assert resolve(many, "step-00000020") == step_folder(many, 20)
    assert resolve(many / "elsewhere", str(best)) == best
    flip(0.5)(step_folder(many, 100) / "model.safetensors")
    assert resolve(many, "last") == step_folder(many, 20)


@pytest.mark.parametrize("which", ["int8", "", "/", ".", "..", "nonsense", "a\0b", "step-00000999", "../..", "/etc"])
def test_what_cannot_be_resolved_says_what_there_is(many: Path, which: str) -> None:
    write(many / "best", 5.0)
    with pytest.raises(CheckpointError) as problem:
        resolve(many, which)
    assert "best, step-00000100, step-00000020, step-00000003" in str(problem.value)
    with pytest.raises(CheckpointError, match="there are: none"):
        resolve(many / "nothing", which)


def test_prune_keeps_the_newest_and_sweeps(many: Path) -> None:
    write(many / "best", 5.0)
    (many / ".best.1234.tmp").mkdir()
    (many / ".best.1234.tmp" / "half").write_bytes(b"x")
    prune(many, 2)
    assert sorted(path.name for path in many.iterdir()) == ["best", "step-00000020", "step-00000100"]
    prune(many, 1)
    assert sorted(path.name for path in many.iterdir()) == ["best", "step-00000100"]
    prune(many, 5)
    assert len(step_checkpoints(many)) == 1


def test_prune_spares_the_one_that_is_named(many: Path) -> None:
    prune(many, 1, spare="step-00000003")
    assert [path.name for path in step_checkpoints(many)] == ["step-00000100", "step-00000003"]


def test_prune_removes_links_not_what_they_point_to(many: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    precious = write(tmp_path_factory.mktemp("precious") / "x")
    (many / "step-00000001").symlink_to(precious, target_is_directory=True)
    prune(many, 1)
    assert [path.name for path in many.iterdir()] == ["step-00000100"]
    assert value_of(precious) == 1.0


def test_mending_deletes_what_a_killed_writer_left_and_gives_names_back(tmp_path: Path) -> None:
    for name in (".int8.4711.tmp", ".best.old", ".last.old", "last"):
        (tmp_path / name).mkdir()
    checkpoint.mend(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best", "last"]


def test_mending_leaves_the_new_one_where_only_the_old_was_not_yet_deleted(tmp_path: Path) -> None:
    """Killed after the second rename: both are whole, and the newer one has its name already."""
    folder = write(tmp_path / "best", 2.0)
    write(tmp_path / "other", 1.0).rename(tmp_path / ".best.old")
    checkpoint.mend(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["best"]
    assert value_of(folder) == 2.0


def test_a_checkpoint_cut_short_between_two_renames_is_listed_and_found(many: Path) -> None:
    step_folder(many, 100).rename(many / ".step-00000100.old")
    names = [path.name for path in step_checkpoints(many)]
    assert names == [".step-00000100.old", "step-00000020", "step-00000003"]
    assert newest(many) == (many / ".step-00000100.old", [])
    assert resolve(many, "step-00000100") == many / ".step-00000100.old"


def test_a_kill_while_old_ones_are_deleted_leaves_none_that_looks_damaged(
    many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        raise Crash

    monkeypatch.setattr(checkpoint, "remove_tree", killed)
    with pytest.raises(Crash):
        prune(many, 1)
    for folder in step_checkpoints(many):
        verify(folder)
    assert newest(many) == (step_folder(many, 100), [])
