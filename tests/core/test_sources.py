"""A data file is read where it lies, made, or downloaded; all the same to whoever reads it."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from core.config import Config
from core.errors import ConfigError, DataError
from core.events import Event, State
from core.sources import cache_folder, data_file, fetch_data

from .drained import drained

SUM = "0" * 64
READER = {
    "data": {
        "train": "reader/train.jsonl", "valid": "reader/valid.jsonl", "valid_unseen": "reader/valid_unseen.jsonl",
        "corpus_rows": 30, "corpus_valid": 5, "corpus_seed": 3,
    },
}  # fmt: skip


def test_a_made_corpus_is_made_once_for_all_its_files(tmp_path: Path) -> None:
    config = Config.from_dict(READER)
    events, found = drained(fetch_data(config, tmp_path))
    assert events.count(State("making_corpus")) == 1
    data = found.data
    for name, rows in ((data.train, 30), (data.valid, 5), (data.valid_unseen, 5)):
        assert name is not None
        assert len(Path(name).read_text("utf-8").splitlines()) == rows
    assert found.update({f"data.{key}": value for key, value in READER["data"].items()}) == config


def test_files_of_ones_own_take_the_place_of_made_ones(tmp_path: Path) -> None:
    own = tmp_path / "mine.jsonl"
    own.write_text('{"prompt": "a", "completion": "b"}\n', encoding="utf-8")
    config = Config.from_dict(READER).update(
        {"data.train": str(own), "data.valid": None, "data.valid_unseen": None}
    )  # fmt: skip
    events, found = drained(fetch_data(config, tmp_path / "cache"))
    assert events == []
    assert found == config
    assert not (tmp_path / "cache").exists()


def test_bundled_files_are_found(tmp_path: Path) -> None:
    _, found = drained(fetch_data(Config(), tmp_path))
    assert Path(found.data.train).is_file()


def test_a_download_only_where_there_is_no_such_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str, Path]] = []

    def download(url: str, sha256: str, target: Path) -> Generator[Event, None, None]:
        asked.append((url, sha256, target))
        yield State("downloading")

    monkeypatch.setattr("core.sources.download", download)
    monkeypatch.chdir(tmp_path)
    values = {"train": "sea.txt", "valid": None, "url": "https://example.org/sea.txt", "sha256": SUM}
    config = Config.from_dict({"data": values})
    events, found = drained(fetch_data(config, tmp_path / "cache"))
    assert events == [State("downloading")]
    assert found.data.train == str(tmp_path / "cache" / "sea.txt")
    assert asked == [("https://example.org/sea.txt", SUM, tmp_path / "cache" / "sea.txt")]
    (tmp_path / "sea.txt").write_text("the sea", encoding="utf-8")
    assert drained(fetch_data(config, tmp_path / "cache"))[1].data.train == "sea.txt"
    assert len(asked) == 1


def test_without_an_address_a_missing_file_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"sea.txt: no such file here and none bundled"):
        drained(fetch_data(Config.from_dict({"data": {"train": "sea.txt", "valid": None}}), tmp_path))


def test_those_who_do_not_listen_get_the_file_too(tmp_path: Path) -> None:
    path = data_file(Config.from_dict(READER), "reader/valid.jsonl", tmp_path)
    assert len(path.read_text("utf-8").splitlines()) == 5
    assert path.parent.parent == cache_folder(tmp_path)


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"url": "https://example.org/a"}, "data.url needs data.sha256"),
        ({"url": "http://example.org/a", "sha256": SUM}, "data.url: found"),
        ({"url": "file:///etc/passwd", "sha256": SUM}, "data.url: found"),
        ({"url": "https://example.org/a", "sha256": "abc"}, "data.sha256: found"),
    ],
)
def test_addresses_that_are_refused(values: dict[str, Any], part: str) -> None:
    with pytest.raises(ConfigError, match=part):
        Config.from_dict({"data": values})
