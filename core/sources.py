"""Where the data of a training comes from, before any of it is read: a file, a bundled file, a corpus that is made,
a text that is downloaded. The last two end in a cache beside the runs."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from .config import Config
from .corpora.made import Recipe, corpus_of, make_corpus
from .download import download
from .errors import DataError
from .events import Event
from .records import find_data

#: The settings that name a data file.
FILES = ("train", "valid", "valid_unseen")
CACHE = ".corpora"


def cache_folder(runs: Path) -> Path:
    """Where made and downloaded data of a folder of runs is kept."""
    return runs / CACHE


def fetch_data(config: Config, cache: Path) -> Generator[Event, None, Config]:
    """Make or download what the settings ask for; returns them with the files' real paths.

    Raises ``DataError``, of which a download without a network says what to get and where to put it.
    """
    found: dict[str, str] = {}
    for key in FILES:
        name = getattr(config.data, key)
        if name:
            found[f"data.{key}"] = str((yield from fetch_file(config, name, cache)))
    return config.update(found)


def fetch_file(config: Config, name: str, cache: Path) -> Generator[Event, None, Path]:
    """The path of one data file of a config, made or downloaded if it has to be."""
    corpus = corpus_of(name)
    if corpus is not None:
        data = config.data
        folder = yield from make_corpus(Recipe(corpus, data.corpus_rows, data.corpus_valid, data.corpus_seed), cache)
        return folder / name.partition("/")[2]
    if config.data.url and config.data.sha256 and name == config.data.train:
        try:
            path = find_data(name)
        except DataError:
            path = cache / Path(name).name
            yield from download(config.data.url, config.data.sha256, path)
        return path
    return find_data(name)


def data_file(config: Config, name: str, runs: Path) -> Path:
    """``fetch_file`` for those who do not listen."""
    steps = fetch_file(config, name, cache_folder(runs))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            path: Path = end.value
            return path
