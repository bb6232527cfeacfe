"""Token rows of a large corpus, kept: a second start maps them into memory instead of reading and cutting all text.

A folder is named after a hash of all that its content depends on – the files' bytes, the settings, the tokenizer
asked for, this program's source – so that it is never out of date, only no longer asked for. It is written
whole or not at all, and read back only where every file has its checksum.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tokenizers

from . import machine
from .config import Config
from .dataset import Dataset, RowStats
from .errors import DataError, UserError
from .events import Event, from_json
from .records import Record, RowsOfFile, find_data, version_of
from .storage import MARK, atomic_folder, file_sha256, make_private_folder, read_json, remove_tree, write_json
from .tokenizer import Tokenizer

#: Bytes of training data from which on it is worth it: these take a second to prepare.
LEAST = 4_000_000
#: Folders kept, the latest used ones: that of 100,000 rows of the reader corpus has 66 MB.
MOST = 3
MANIFEST = "about.json"
PREFIX = "tokens-"
ARRAYS = {"tokens": np.int32, "learn": np.bool_, "branches": np.uint8, "starts": np.int64, "lengths": np.int32}
#: Settings besides ``data`` and ``tokenizer`` that the rows or the report on them depend on.
OTHERS = ("model.seq_len", "training.seed", "training.batch_size", "sampling.stop")
DATA = ("train", "valid", "valid_unseen")


@dataclass(frozen=True)
class Kept:
    """What a preparation comes to, as it is kept."""

    tokenizer: Tokenizer
    train: Dataset
    valid: Dataset
    rows: Mapping[str, Sequence[Record]]
    """By setting: 'train', 'valid', 'valid_unseen'."""
    report: dict[str, Any]
    notices: list[Event]


class TokenCache:
    """The place of one config's token rows in a folder of such places."""

    def __init__(self, config: Config, tokenizer: Tokenizer | None, cache: Path) -> None:
        """``tokenizer``: the one given, if its is not to be learnt. Reads and hashes the data files."""
        self._paths = {key: find_data(name) for key in DATA if (name := getattr(config.data, key))}
        self._folder: Path | None = None
        self._versions = self._versions_now()
        if self._is_worth_it(config, tokenizer):
            self._folder = cache / (PREFIX + self._fingerprint(config, tokenizer))

    def _is_worth_it(self, config: Config, tokenizer: Tokenizer | None) -> bool:
        """Only large files of JSON Lines with a validation file of their own: of those a row can be found again."""
        if config.data.valid is None or config.data.test_fraction or (tokenizer is None and config.tokenizer.path):
            return False
        try:
            return self._paths["train"].stat().st_size >= LEAST and all(map(_is_lines, self._paths.values()))
        except OSError:  # whoever reads it says what is wrong
            return False

    def _versions_now(self) -> list[tuple[int, int, int]]:
        """Empty where a file cannot be found: whoever reads it says so."""
        with contextlib.suppress(OSError):
            return [version_of(os.stat(path)) for path in self._paths.values()]
        return []

    def _fingerprint(self, config: Config, tokenizer: Tokenizer | None) -> str:
        depends = {
            "files": {key: [path.name, file_sha256(path, DataError)] for key, path in self._paths.items()},
            "data": config.data.model_dump(mode="json", exclude={*DATA, "probes", "verify_rows", "start_context"}),
            "tokenizer": tokenizer.fingerprint() if tokenizer else config.tokenizer.model_dump(mode="json"),
            "others": [config.get(key) for key in OTHERS],
            "code": [machine.code_version()["sha256"], tokenizers.__version__],
        }
        return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:16]

    def load(self) -> Kept | None:
        """What is kept; None where nothing is, or not whole."""
        if self._folder is None or not self._folder.is_dir():
            return None
        try:
            about = read_json(self._folder / MANIFEST)
            if any(file_sha256(self._folder / name) != digest for name, digest in about["files"].items()):
                return None
            with contextlib.suppress(OSError):
                os.utime(self._folder)
            events = [from_json(values) for values in about["notices"]]
            return Kept(
                Tokenizer.from_json(about["tokenizer"]),
                self._dataset("train", about),
                self._dataset("valid", about),
                {key: self._rows(key) for key in self._paths},
                about["report"],
                [event for event in events if event is not None],
            )
        except (UserError, OSError, ValueError, KeyError, TypeError):
            return None

    def _array(self, name: str, kind: Any = np.int64) -> npt.NDArray[Any]:
        """The bytes of a file as they lie there, mapped; a file of no bytes cannot be."""
        assert self._folder is not None
        path = self._folder / name
        return np.memmap(path, dtype=kind, mode="r") if path.stat().st_size else np.zeros(0, dtype=kind)

    def _dataset(self, part: str, about: Mapping[str, Any]) -> Dataset:
        arrays = {name: self._array(f"{part}.{name}", kind) for name, kind in ARRAYS.items()}
        branches = arrays.pop("branches")
        return Dataset(**arrays, stats=RowStats(**about["stats"][part]), branches=branches if len(branches) else None)

    def _rows(self, key: str) -> RowsOfFile:
        return RowsOfFile(self._paths[key], self._array(f"{key}.offsets"), self._array(f"{key}.lines"))

    def save(self, kept: Kept) -> None:
        """Keep it, where that is worth it. A disk that is full, or not to be written, is no error: the next start
        takes its time."""
        if self._folder is None or self._versions_now() != self._versions:
            return  # read after somebody has edited it, it is not what the hash was taken of
        with contextlib.suppress(OSError):
            make_private_folder(self._folder.parent)
            with atomic_folder(self._folder, mode=0o700) as folder:
                self._write(kept, folder)
            self._prune()

    def _write(self, kept: Kept, folder: Path) -> None:
        datasets = {"train": kept.train, "valid": kept.valid}
        for part, dataset in datasets.items():
            for name, kind in ARRAYS.items():
                found = getattr(dataset, name)
                _write_array(folder / f"{part}.{name}", np.asarray(() if found is None else found, dtype=kind))
        for key, path in self._paths.items():
            lines = np.asarray([int(r.where.rpartition(":")[2]) for r in kept.rows[key]], dtype=np.int64)
            _write_array(folder / f"{key}.lines", lines)
            _write_array(folder / f"{key}.offsets", line_offsets(path)[lines - 1])
        about = {
            "tokenizer": kept.tokenizer.to_json(),
            "stats": {part: asdict(dataset.stats) for part, dataset in datasets.items()},
            "report": kept.report,
            "notices": [event.to_json() for event in kept.notices],
            "files": {path.name: file_sha256(path) for path in sorted(folder.iterdir())},
        }
        write_json(folder / MANIFEST, about)

    def _prune(self) -> None:
        assert self._folder is not None
        found = sorted(self._folder.parent.glob(f"{PREFIX}*"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in found[MOST:]:
            remove_tree(path)


def _is_lines(path: Path) -> bool:
    """Whether a file holds JSON Lines, not one array or plain text."""
    if path.suffix.lower() in (".txt", ".md") or not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(64).removeprefix(MARK).lstrip().startswith(b"{")


def _write_array(path: Path, array: npt.NDArray[Any]) -> None:
    with open(path, "wb") as file:
        file.write(np.ascontiguousarray(array).data)


def line_offsets(path: Path) -> npt.NDArray[np.int64]:
    """(lines,) where each line of a file begins, in bytes."""
    found = [np.zeros(1, dtype=np.int64)]
    begin = 0
    with open(path, "rb") as file:
        while piece := file.read(1 << 22):
            found.append(np.flatnonzero(np.frombuffer(piece, dtype=np.uint8) == 0x0A) + (begin + 1))
            begin += len(piece)
    return np.concatenate(found)
