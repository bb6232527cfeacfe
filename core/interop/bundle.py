"""A run as one zip file, to hand to a class-mate: settings, vocabulary, checkpoints, report, metrics, figures.

``bundle.json`` names every member with its size and SHA-256. What comes in is believed only after all of it has been
checked: names, kinds, sizes, checksums, and that the models load.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO, Any

from .. import checkpoint
from ..errors import CheckpointError, DataError, Phrase, RunError, UserError
from ..events import Event, Progress
from ..runs import Run, load_model, new_run
from ..storage import atomic_file, atomic_folder, open_regular
from ..text import first_line
from .targets import check_file

FORMAT = 1
MANIFEST = "bundle.json"
MAX_MANIFEST = 1_000_000
MAX_MEMBERS = 500
#: Metrics shrink to a fifteenth, a thousand zeros to one byte: more than this in all is no run.
MAX_RATIO = 200
FREE = 10_000_000  # bytes that any bundle may unpack to, whatever the ratio
CHUNK = 1 << 20

#: What a bundle may hold. No name with '..', a drive, a backslash or a leading slash is among these.
_MEMBER = re.compile(
    r"(?:config\.yaml|tokenizer\.json|report\.json|metrics\.jsonl|figures/\w[\w.-]{0,99}"
    r"|checkpoints/(?:step-\d{8}|best|int8)/(?:manifest|state|tokenizer)\.json"
    r"|checkpoints/(?:step-\d{8}|best|int8)/(?:model|optimizer)\.safetensors)",
    re.ASCII,
)
_NEEDED = ("config.yaml", "tokenizer.json")


def export_bundle(
    run: Run, target: Path, *, which: str | None = None, optimizer: bool = False, force: bool = False
) -> list[str]:
    """Write the zip file ``target``, whole or not at all; returns the members' names.

    With it go the newest checkpoint and those named best and int8, or ``which`` alone. ``optimizer``: also what is
    needed to go on training; three times the size. Raises ``UserError``.
    """
    check_file(target, force)
    files = list(_files(run, _chosen(run, which)))
    if optimizer and not any(name.endswith("/optimizer.safetensors") for name, _ in files):
        raise CheckpointError(
            "{which}: has no optimizer's memory to hand on; choose the checkpoint 'last'", which=which or "last"
        )
    digests: dict[str, dict[str, Any]] = {}
    with atomic_file(target) as file, zipfile.ZipFile(file, "w") as archive:
        for name, path in files:
            if name.endswith("/" + checkpoint.MANIFEST):
                data = _manifest_of(path, optimizer)
                archive.writestr(_member(name), data)
                digests[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            elif optimizer or not name.endswith("/optimizer.safetensors"):
                with open_regular(path, RunError) as source, archive.open(_member(name), "w", force_zip64=True) as out:
                    digests[name] = _copy(source, out)
        archive.writestr(_member(MANIFEST), json.dumps({"format": FORMAT, "run": run.name, "files": digests}, indent=1))
    return list(digests)


def _chosen(run: Run, which: str | None) -> dict[str, Path]:
    """The checkpoints to take along by their names in the bundle, each verified. One alone is named after its step, so
    that it is the last one where it arrives."""
    if which is not None:
        folder = checkpoint.resolve(run.checkpoints, which)
        if folder.name == "int8":
            raise CheckpointError("{path}: int8 alone is no run; choose 'last' or 'best'", path=str(folder))
        step = load_model(folder).step
        return {checkpoint.step_folder(run.checkpoints, step).name: folder}
    newest = checkpoint.newest(run.checkpoints)[0]
    others = [run.checkpoints / name for name in ("best", "int8")]
    return {folder.name: folder for folder in (newest, *others) if (folder / checkpoint.MANIFEST).is_file()}


def _files(run: Run, checkpoints: dict[str, Path]) -> Iterator[tuple[str, Path]]:
    """Names in the bundle and where their bytes are."""
    run.config()  # a run that cannot be read is not handed on
    for name in ("config.yaml", "tokenizer.json", "report.json", "metrics.jsonl"):
        if (run.path / name).is_file():
            yield name, run.path / name
    figures = run.path / "figures"
    for path in sorted(figures.iterdir()) if figures.is_dir() else []:
        if path.is_file() and _MEMBER.fullmatch(f"figures/{path.name}"):
            yield f"figures/{path.name}", path
    for label, folder in checkpoints.items():
        for name in (*checkpoint.verify(folder)["files"], checkpoint.MANIFEST):
            yield f"checkpoints/{label}/{name}", folder / name


def _manifest_of(path: Path, optimizer: bool) -> bytes:
    """A checkpoint's manifest, without the optimizer's memory where that stays at home."""
    manifest = json.loads(path.read_bytes())
    if not optimizer:
        manifest["files"].pop("optimizer.safetensors", None)
    return json.dumps(manifest, indent=2).encode()


def _member(name: str) -> zipfile.ZipInfo:
    """Weights hardly shrink and are stored as they are. No date: the same run gives the same bundle."""
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_STORED if name.endswith(".safetensors") else zipfile.ZIP_DEFLATED
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    return info


def _copy(source: IO[bytes], out: IO[bytes], limit: int | None = None) -> dict[str, Any]:
    """Copy to the end; size and SHA-256 of what was copied. Stops with ``ValueError`` beyond ``limit`` bytes."""
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(CHUNK):
        size += len(chunk)
        if limit is not None and size > limit:
            raise ValueError
        digest.update(chunk)
        out.write(chunk)
    return {"bytes": size, "sha256": digest.hexdigest()}


def import_bundle(file: Path, runs: Path, name: str | None = None) -> Generator[Event, None, Run]:
    """Unpack a bundle as a run of the folder ``runs``; the result is the run.

    Raises ``DataError`` for a file that is damaged or holds what does not belong there, ``RunError`` where a run of
    that name exists. Nothing is left behind.
    """
    with open_regular(file, DataError) as opened:
        try:
            with zipfile.ZipFile(opened) as archive:
                return (yield from _unpack(archive, file, runs, name))
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OverflowError, ValueError) as problem:
            reason = first_line(problem, 120)
            raise DataError("{file}: not a bundle or damaged: {reason}", file=str(file), reason=reason) from None


def _unpack(archive: zipfile.ZipFile, file: Path, runs: Path, name: str | None) -> Generator[Event, None, Run]:
    members = _checked_members(archive, file)
    manifest = _manifest(archive, members.pop(MANIFEST, None), file)
    for member in [*_NEEDED, *manifest["files"]]:
        if member not in members:
            raise DataError("{file}: damaged: {name} is missing", file=str(file), name=member)
    for member in members:
        if member not in manifest["files"]:
            raise DataError("{file}: damaged: bundle.json does not name {name}", file=str(file), name=member)
    run = _new_run(runs, name or manifest["run"])
    total = sum(info.file_size for info in members.values())
    done = 0
    runs.mkdir(parents=True, exist_ok=True)
    with atomic_folder(run.path, mode=0o700) as folder:
        for member, info in members.items():
            _extract(archive, info, folder / member, manifest["files"][member], file)
            done += info.file_size
            yield Progress("importing", done, total)
        _check_run(Run(folder), folder, file)
        _new_run(runs, run.name)  # nobody has taken the name meanwhile
    return run


def _new_run(runs: Path, name: str) -> Run:
    run = new_run(runs, name, "")
    if run.path.exists() or run.path.is_symlink():
        raise RunError("{run}: exists already; choose another name with --run NAME", run=str(run.path))
    return run


def _checked_members(archive: zipfile.ZipFile, file: Path) -> dict[str, zipfile.ZipInfo]:
    """The members by name, none of which could be written elsewhere or fill the disk."""
    found: dict[str, zipfile.ZipInfo] = {}
    size = os.fstat(archive.fp.fileno()).st_size if archive.fp is not None else 0
    for info in archive.infolist():
        name, kind = info.orig_filename, stat.S_IFMT(info.external_attr >> 16)
        if name != MANIFEST and not _MEMBER.fullmatch(name):
            raise DataError("{file}: refused: {name} does not belong in a bundle", file=str(file), name=repr(name))
        if kind not in (0, stat.S_IFREG):
            raise DataError("{file}: refused: {name} is a link or a device", file=str(file), name=name)
        if not 0 <= info.header_offset < size:
            raise DataError("{file}: damaged: {name} is not where the list of members says", file=str(file), name=name)
        if info.flag_bits & 1:
            raise DataError("{file}: refused: {name} is encrypted", file=str(file), name=name)
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # the rest raises what a disk does
            raise DataError("{file}: damaged: {name} is compressed in no way that this program uses", file=str(file),
                            name=name)  # fmt: skip
        if name in found:
            raise DataError("{file}: refused: {name} comes twice", file=str(file), name=name)
        found[name] = info
        if len(found) > MAX_MEMBERS:
            raise DataError("{file}: refused: more than {limit} members", file=str(file), limit=MAX_MEMBERS)
    total = sum(info.file_size for info in found.values())
    if total > max(FREE, MAX_RATIO * size):
        raise DataError("{file}: refused: {size:,} bytes that say they become {total:,}", file=str(file), size=size,
                        total=total)  # fmt: skip
    return found


def _manifest(archive: zipfile.ZipFile, info: zipfile.ZipInfo | None, file: Path) -> dict[str, Any]:
    """``bundle.json``: format, the run's name, and each member's size and checksum."""
    if info is None or info.file_size > MAX_MANIFEST:
        raise DataError("{file}: no bundle of this program: bundle.json is missing", file=str(file))
    try:
        value = json.loads(archive.read(info).decode("utf-8"))
        whole = value["format"] == FORMAT and isinstance(value["run"], str) and all(
            isinstance(entry["bytes"], int) and isinstance(entry["sha256"], str) for entry in value["files"].values()
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise DataError("{file}: damaged: bundle.json is not a manifest of this program", file=str(file))
    return dict(value)


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, entry: dict[str, Any], file: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with archive.open(info) as source, open(path, "wb") as out:
            found = _copy(source, out, limit=entry["bytes"])
            out.flush()
            os.fsync(out.fileno())
    except ValueError:
        found = {}
    if found != {"bytes": entry["bytes"], "sha256": entry["sha256"]}:
        raise DataError("{file}: damaged: {name} does not match its checksum", file=str(file), name=info.filename)


def _check_run(run: Run, folder: Path, file: Path) -> None:
    """Its settings can be read and every checkpoint loads. The error names the bundle, not the folder beside."""
    try:
        run.config()
        found = sorted(run.checkpoints.iterdir()) if run.checkpoints.is_dir() else []
        if not checkpoint.step_checkpoints(run.checkpoints):
            raise DataError("{file}: no checkpoint in it", file=str(file))
        for place in found:
            load_model(place)
    except UserError as problem:
        inside = {key: _inside(value, folder) for key, value in problem.values.items()}
        reason = Phrase(problem.template, **inside)
        raise DataError("{file}: damaged: {problem}", file=str(file), problem=reason) from None


def _inside(value: Any, folder: Path) -> Any:
    """A path without the folder beside, which is gone when the message is read."""
    return value.replace(f"{folder}{os.sep}", "") if type(value) is str else value
