"""Corpora that are made, not read: written once into a cache, whole or not at all, and found there again.

A data file named ``reader/train.jsonl`` is a file of the corpus ``reader``. Its folder in the cache is named after
the numbers it is made from and a fingerprint of them and of the generator's source: another version makes another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from ..errors import DataError, UserError
from ..events import Event, State
from ..events import Progress as ProgressEvent
from ..records import Record, Turn
from ..storage import atomic_folder, file_sha256, make_private_folder, read_json, remove_tree, write_json
from .reader import SPLITS, Progress, Row, make_reader_corpus, write_reader_corpus

MANIFEST = "manifest.json"
PROGRESS_EVENTS = 20  # a corpus shows at most so many of them, each a line of metrics.jsonl

Writer = Callable[[Path, int, int, int], Generator[Progress, None, None]]

#: Each corpus and what writes it into a folder, given the rows for training, those for validation, and a seed.
WRITERS: dict[str, Writer] = {"reader": write_reader_corpus}
#: What makes its rows, given the same numbers.
MAKERS: dict[str, Callable[[int, int, int], Iterator[Row]]] = {"reader": make_reader_corpus}
FILES = tuple(f"{split}.jsonl" for split in SPLITS)


@dataclass(frozen=True)
class Recipe:
    """What a corpus is made from."""

    corpus: str
    rows: int
    valid: int
    seed: int

    def folder_name(self) -> str:
        """Readable, and different for whatever would come out different."""
        digest = hashlib.sha256(json.dumps([self.corpus, self.rows, self.valid, self.seed]).encode())
        for path in sorted(Path(__file__).parent.glob(f"{self.corpus}*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        return f"{self.corpus}-{self.rows}-{self.valid}-{self.seed}-{digest.hexdigest()[:8]}"


def corpus_of(name: str) -> str | None:
    """The corpus that a data file's name belongs to, if that is one that is made. Raises ``DataError`` for a name
    like ``reader/tarin.jsonl``."""
    corpus, slash, file = name.partition("/")
    if not slash or corpus not in WRITERS:
        return None
    if file not in FILES:
        raise DataError(
            "{name}: the corpus {corpus} has only {files}", name=name, corpus=corpus, files=", ".join(FILES)
        )
    return corpus


def first_rows(corpus: str, rows: int, seed: int) -> list[Record]:
    """The rows with which the training part of a corpus begins, made for a look at them: 400 take 0.1 s."""
    return [Record((Turn(row.prompt, row.completion),)) for row in MAKERS[corpus](rows, 0, seed)]


def make_corpus(recipe: Recipe, cache: Path) -> Generator[Event, None, Path]:
    """The folder of a corpus in ``cache``, made if it is not there whole. Raises ``DataError``."""
    folder = cache / recipe.folder_name()
    if _is_whole(folder):
        return folder
    yield State("making_corpus")
    try:
        make_private_folder(cache)
        _clear_leftovers(cache)
        # Another process may be quicker, or another thread: the app shows the data of the training that it runs.
        with atomic_folder(folder, keep=_is_whole) as temporary:
            yield from _write(recipe, temporary)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise DataError("{path}: cannot be written: {reason}", path=str(folder), reason=reason) from None
    return folder


def _write(recipe: Recipe, folder: Path) -> Generator[Event, None, None]:
    told = 0
    for progress in WRITERS[recipe.corpus](folder, recipe.rows, recipe.valid, recipe.seed):
        part = progress.done * PROGRESS_EVENTS // max(1, progress.total)
        if part > told:
            told = part
            yield ProgressEvent("making_corpus", progress.done, progress.total)
    files = {name: {"bytes": (folder / name).stat().st_size, "sha256": file_sha256(folder / name)} for name in FILES}
    write_json(folder / MANIFEST, {"corpus": recipe.corpus, "files": files})


def _is_whole(folder: Path) -> bool:
    """Whether the folder holds what its manifest says, to the last byte."""
    try:
        manifest = read_json(folder / MANIFEST, limit=100_000)
        return all(file_sha256(folder / name) == manifest["files"][name]["sha256"] for name in FILES)
    except (UserError, OSError, KeyError, TypeError):
        return False


def _clear_leftovers(cache: Path) -> None:
    """Remove what processes that were killed have left half written."""
    for path in cache.glob(".*.tmp"):
        process = path.name.split(".")[-2].partition("-")[0]
        if process.isdigit() and not psutil.pid_exists(int(process)):
            remove_tree(path)
