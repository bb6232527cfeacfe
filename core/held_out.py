"""The rows that a run was judged by: its validation file or, where it had none, those split off its data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .config import Config
from .doctor import load_corpus, unique_rows
from .errors import DataError
from .records import Record, read_records
from .runs import LoadedModel
from .sources import data_file
from .storage import file_sha256, read_json


def learnt_from(loaded: LoadedModel, digest: str) -> bool:
    """Whether a model was trained on the very file whose SHA-256 this is."""
    sums = _sums(loaded)
    return any(sums[key] == digest for key in sums if "/" not in key)


def _sums(loaded: LoadedModel) -> dict[str, Any]:
    """The SHA-256 of each file that a model was trained with, as far as its checkpoint names them."""
    state: Any = read_json(loaded.path / "state.json")
    sums = state.get("data_sha256") if isinstance(state, dict) else None
    return sums if isinstance(sums, dict) else {}


def split_of(config: Config) -> tuple[object, ...]:
    """What decides which rows of one file are held out."""
    data = config.data
    return data.valid, data.valid_fraction, data.test_fraction, data.duplicates, config.training.seed


def held_out_rows(loaded: LoadedModel, runs: Path) -> tuple[Path, list[Record]]:
    """The file and its rows that count. Raises ``DataError`` where there are none, or the data is not as it was."""
    data = loaded.config.data
    if data.valid:
        path = data_file(loaded.config, data.valid, runs)
        return path, unique_rows(list(read_records(path)))
    if data.valid_fraction:
        path = data_file(loaded.config, data.train, runs)
        if not _sums(loaded):  # trained elsewhere, on nobody knows what
            raise DataError("this run has no validation file; name one with --data FILE")
        if not learnt_from(loaded, file_sha256(path, DataError)):
            raise DataError(
                "{path}: has changed since the run was trained on it: which rows were held out is no longer known; "
                "name a file with --data FILE",
                path=str(path),
            )
        rows = load_corpus(loaded.config.update({"data.train": str(path), "data.valid_unseen": None})).valid
        if any(record.turns for record in rows):
            return path, rows
    raise DataError("this run has no validation file; name one with --data FILE")
