"""Made corpora: once, whole or not at all, and made anew when anything they depend on changes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from core.corpora import made
from core.corpora.made import FILES, MANIFEST, Recipe, corpus_of, make_corpus
from core.errors import DataError
from core.events import Progress, State

from ..drained import drained

RECIPE = Recipe("reader", 60, 10, 7)


def test_a_name_of_a_made_corpus() -> None:
    assert [corpus_of(name) for name in ("reader/train.jsonl", "reader/valid_unseen.jsonl")] == ["reader"] * 2
    for name in ("teacher/train.jsonl", "reader", "./reader/train.jsonl", "/tmp/reader/train.jsonl", "train.jsonl"):
        assert corpus_of(name) is None
    with pytest.raises(DataError, match=r"reader/tarin.jsonl: the corpus reader has only train.jsonl, valid.jsonl"):
        corpus_of("reader/tarin.jsonl")


def test_it_is_made_once(tmp_path: Path) -> None:
    events, folder = drained(make_corpus(RECIPE, tmp_path / "cache"))
    assert events[0] == State("making_corpus")
    last = events[-1]
    assert isinstance(last, Progress)
    assert (last.task, last.done, last.total) == ("making_corpus", 80, 80)
    assert [len((folder / name).read_text("utf-8").splitlines()) for name in FILES] == [60, 10, 10]
    assert sorted(path.name for path in folder.parent.iterdir()) == [folder.name]
    before = (folder / MANIFEST).stat().st_mtime_ns
    assert drained(make_corpus(RECIPE, tmp_path / "cache")) == ([], folder)
    assert (folder / MANIFEST).stat().st_mtime_ns == before


def test_it_shows_at_most_twenty_times_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.corpora.reader.PROGRESS_ROWS", 1)
    events, _ = drained(make_corpus(RECIPE, tmp_path))
    assert 10 <= len(events) - 1 <= 20


def test_other_numbers_or_another_generator_make_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {
        Recipe("reader", *numbers).folder_name() for numbers in ((60, 10, 7), (61, 10, 7), (60, 11, 7), (60, 10, 8))
    }
    assert len(names) == 4
    (tmp_path / "reader.py").write_text("# another version", encoding="utf-8")
    monkeypatch.setattr(made, "__file__", str(tmp_path / "made.py"))
    assert RECIPE.folder_name() not in names
    assert RECIPE.folder_name().startswith("reader-60-10-7-")


@pytest.mark.parametrize("damage", ["cut", "changed", "missing", "no manifest", "a manifest of something else"])
def test_a_damaged_one_is_made_anew(tmp_path: Path, damage: str) -> None:
    _, folder = drained(make_corpus(RECIPE, tmp_path))
    file, manifest = folder / "train.jsonl", folder / MANIFEST
    whole = file.read_bytes()
    if damage == "cut":
        file.write_bytes(whole[:-9])
    elif damage == "changed":
        file.write_bytes(whole.replace("。".encode(), "！".encode(), 1))
    elif damage == "missing":
        file.unlink()
    elif damage == "no manifest":
        manifest.unlink()
    else:
        manifest.write_text("[3]", encoding="utf-8")
    events, again = drained(make_corpus(RECIPE, tmp_path))
    assert events
    assert again == folder
    assert file.read_bytes() == whole


def test_an_interrupted_one_leaves_nothing(tmp_path: Path) -> None:
    steps = make_corpus(RECIPE, tmp_path)
    assert isinstance(next(steps), State)
    assert isinstance(next(steps), Progress)
    steps.close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / f".{RECIPE.folder_name()}.{2**22 + 7}.tmp").mkdir()
    mine = tmp_path / f".other.{os.getpid()}.tmp"
    mine.mkdir()
    _, folder = drained(make_corpus(RECIPE, tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([mine.name, folder.name])


def test_another_process_may_be_quicker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, elsewhere = drained(make_corpus(RECIPE, tmp_path / "a"))

    def rename(source: Path, target: Path) -> None:
        elsewhere.replace(target)
        raise OSError(39, "Directory not empty")

    monkeypatch.setattr("os.rename", rename)
    _, folder = drained(make_corpus(RECIPE, tmp_path / "b"))
    assert json.loads((folder / MANIFEST).read_text("utf-8"))["corpus"] == "reader"
    assert [path.name for path in (tmp_path / "b").iterdir()] == [folder.name]


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("core.corpora.made.write_json", full)
    with pytest.raises(DataError, match=r"reader-60-.*: cannot be written: No space left on device"):
        drained(make_corpus(RECIPE, tmp_path))
    assert list(tmp_path.iterdir()) == []
