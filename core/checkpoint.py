"""Checkpoints: safetensors and JSON in a folder, written whole or not at all, read without running anything.

A folder is written beside its final name, each file flushed to the disk, a manifest with sizes and SHA-256
sums last, then renamed. A checkpoint counts only if its manifest verifies: neither torch nor safetensors
notices a flipped bit by itself. torch is loaded with the first weights: a list of runs does without it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import CheckpointError, Phrase
from .storage import MAX_WEIGHTS, atomic_folder, open_regular, read_json, remove_tree, replaced_name, write_json

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
MANIFEST = "manifest.json"
_STEP_NAME = re.compile(r"step-(\d{8})")
_FILE_NAME = re.compile(r"\w[\w.-]{0,99}", re.ASCII)
_REQUIRED = {"model.safetensors", "state.json", "tokenizer.json"}


def step_folder(checkpoints: Path, step: int) -> Path:
    return checkpoints / f"step-{step:08d}"


def save(
    folder: Path,
    state: Mapping[str, Any],
    tokenizer_json: str,
    weights: Mapping[str, Tensor],
    optimizer: Mapping[str, Tensor] | None = None,
) -> int:
    """Write a checkpoint folder, replacing one of the same name only once the new one is whole.

    Returns its size in bytes. ``OSError`` (a full disk) leaves the old one and no half of the new one.
    """
    from .weights_file import write_safetensors

    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with atomic_folder(folder, mode=0o700) as temporary:
        files: dict[str, dict[str, Any]] = {}
        for name, tensors in (("model.safetensors", weights), ("optimizer.safetensors", optimizer)):
            if tensors is not None:
                size, digest = write_safetensors(temporary / name, tensors)
                files[name] = {"bytes": size, "sha256": digest}
        state_json = json.dumps(dict(state), ensure_ascii=False, indent=1, allow_nan=False)
        for name, text in (("state.json", state_json), ("tokenizer.json", tokenizer_json)):
            data = text.encode("utf-8")
            with open(temporary / name, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            files[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        write_json(temporary / MANIFEST, {"format": FORMAT, "files": files})
    return sum(int(entry["bytes"]) for entry in files.values())


def mend(checkpoints: Path) -> None:
    """Give a checkpoint its name back where a crash came between the two renames of ``storage.atomic_folder``, and
    delete what an interrupted write left.

    Only for who holds the run's lock.
    """
    if not checkpoints.is_dir():
        return
    for old in checkpoints.glob(".*.old"):
        name = checkpoints / old.name.removeprefix(".").removesuffix(".old")
        if not name.exists():
            os.rename(old, name)
    _delete_leftovers(checkpoints)


def verify(folder: Path) -> dict[str, Any]:
    """Check every file against the manifest; returns the manifest. Raises ``CheckpointError`` naming the file."""
    if not folder.is_dir():
        raise CheckpointError("{path}: no such checkpoint", path=str(folder))
    manifest = read_json(folder / MANIFEST, limit=1_000_000, error=CheckpointError)
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(files, dict) or manifest.get("format") != FORMAT or _REQUIRED - files.keys():
        raise CheckpointError("{path}: damaged: not a manifest of this program", path=str(folder / MANIFEST))
    for name, entry in files.items():
        path = folder / name
        if not _FILE_NAME.fullmatch(name) or not isinstance(entry, dict):
            raise CheckpointError("{path}: damaged: a file outside the checkpoint", path=str(folder / MANIFEST))
        if path.is_symlink():
            raise CheckpointError("{path}: is a link, expected a file", path=str(path))
        digest = hashlib.sha256()
        with open_regular(path, CheckpointError) as file:
            size = os.fstat(file.fileno()).st_size
            fits = size == entry.get("bytes") and size <= MAX_WEIGHTS  # a terabyte of holes is not read to be refused
            while fits and (chunk := file.read(1 << 20)):
                digest.update(chunk)
        if not fits or digest.hexdigest() != entry.get("sha256"):
            raise CheckpointError(
                "{path}: damaged: it does not match its checksum ({size} bytes, expected {expected})",
                path=str(path),
                size=size,
                expected=entry.get("bytes"),
            )
    return dict(manifest)


def load(folder: Path, *, optimizer: bool = False) -> tuple[dict[str, Any], dict[str, Tensor], dict[str, Tensor]]:
    """State, weights and (if asked for and there) optimizer memory of a verified checkpoint."""
    from .weights_file import read_safetensors

    manifest = verify(folder)
    state = read_json(folder / "state.json", error=CheckpointError)
    if not isinstance(state, dict):
        raise CheckpointError("{path}: damaged: not a state", path=str(folder / "state.json"))
    weights = read_safetensors(folder / "model.safetensors")
    memory: dict[str, Tensor] = {}
    if optimizer and "optimizer.safetensors" in manifest["files"]:
        memory = read_safetensors(folder / "optimizer.safetensors")
    return state, weights, memory


def step_checkpoints(checkpoints: Path) -> list[Path]:
    """Checkpoints by step, newest first, verified or not.

    One whose replacement was cut short between two renames lies under its old name.
    """
    if not checkpoints.is_dir():
        return []
    found = {path.name: path for path in checkpoints.iterdir() if _STEP_NAME.fullmatch(path.name) and path.is_dir()}
    for old in checkpoints.glob(".step-*.old"):
        found.setdefault(old.name.removeprefix(".").removesuffix(".old"), old)
    return [found[name] for name in sorted(found, reverse=True) if _STEP_NAME.fullmatch(name)]


def newest(checkpoints: Path) -> tuple[Path, list[str]]:
    """The newest checkpoint that verifies, and what was wrong with newer ones.

    Raises ``CheckpointError`` when there is none. There is no pointer file that could go stale.
    """
    problems: list[str] = []
    for folder in step_checkpoints(checkpoints):
        try:
            verify(folder)
        except CheckpointError as problem:
            problems.append(str(problem))
            continue
        return folder, problems
    if problems:
        raise CheckpointError("{path}: no whole checkpoint: {problem}", path=str(checkpoints), problem=problems[0])
    raise CheckpointError("{path}: no checkpoint yet", path=str(checkpoints))


def resolve(checkpoints: Path, which: str) -> Path:
    """The folder for 'last', 'best', 'int8', the name of a checkpoint, or a path.

    Raises ``CheckpointError`` saying what there is.
    """
    if which == "last":
        return newest(checkpoints)[0]
    for folder in (checkpoints / which, replaced_name(checkpoints / which), Path(which)):
        if (folder / MANIFEST).is_file():
            return folder
    there = [name for name in ("best", "int8") if (checkpoints / name).is_dir()]
    there += [path.name for path in step_checkpoints(checkpoints)]
    raise CheckpointError(
        "no checkpoint '{which}'; there are: {names}", which=which, names=", ".join(there) or Phrase("none")
    )


def prune(checkpoints: Path, keep: int, upto: Path | None = None, spare: str | None = None) -> None:
    """Delete all but the ``keep`` newest step checkpoints, and what an interrupted write left.

    Those newer than ``upto`` neither count nor go: a resumed run found them damaged, and will replace them. Nor does
    the one named ``spare``.
    """
    folders = [path for path in step_checkpoints(checkpoints) if upto is None or path.name <= upto.name]
    for folder in (path for path in folders[keep:] if path.name != spare):
        # Out of sight, and deleted there: a kill in the midst of it would leave what looks like a damaged checkpoint.
        os.rename(folder, folder.with_name(f".{folder.name}.gone.tmp"))
    _delete_leftovers(checkpoints)


def _delete_leftovers(checkpoints: Path) -> None:
    for leftover in (*checkpoints.glob(".*.tmp"), *checkpoints.glob(".*.old")):
        if leftover.suffix == ".tmp" or (checkpoints / leftover.stem.removeprefix(".")).exists():
            remove_tree(leftover)
