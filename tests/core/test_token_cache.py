"""Token rows that are kept: the same as prepared anew, and never those of anything else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import doctor, token_cache
from core.config import Config
from core.errors import DataError
from core.events import Event, Notice, State
from core.prepare import Prepared, prepare
from core.records import RowsOfFile, read_records

from .drained import drained

Rows = list[dict[str, Any]]
TRAIN: Rows = [{"prompt": f"第 {i} 个问题？", "completion": f"第 {i} 个回答。" * (1 + i % 3)} for i in range(30)]
VALID: Rows = [{"prompt": f"另一个 {i}？", "completion": f"回答 {i}。"} for i in range(4)]


class Desk:
    """A folder with data files and a cache."""

    def __init__(self, folder: Path, write: Callable[..., Path]) -> None:
        self.cache, self.write = folder / "cache", write
        self.train, self.valid = write([*TRAIN, TRAIN[0]], "train.jsonl"), write(VALID, "valid.jsonl")

    def prepare(self, changes: dict[str, Any] | None = None) -> tuple[list[Event], Prepared]:
        files = {"data.train": str(self.train), "data.valid": str(self.valid), "tokenizer.vocab_size": 280}
        return drained(prepare(Config().update({**files, **(changes or {})}), cache=self.cache))

    def from_cache(self, changes: dict[str, Any] | None = None) -> bool:
        return State("tokenizing") not in self.prepare(changes)[0]

    def folders(self) -> list[Path]:
        return sorted(self.cache.glob("tokens-*")) if self.cache.is_dir() else []


@pytest.fixture
def desk(tmp_path: Path, write_rows: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(token_cache, "LEAST", 1)
    return Desk(tmp_path, write_rows)


def test_a_file_that_is_edited_while_it_is_prepared_is_not_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    before = desk.train.read_bytes()
    load_corpus = doctor.load_corpus

    def edited(config: Config, look: Callable[[], object]) -> doctor.Corpus:
        desk.train.write_bytes(before.replace(b"prompt", b"query").replace(b"completion", b"answer"))
        return load_corpus(config, look)

    monkeypatch.setattr(doctor, "load_corpus", edited)
    desk.prepare()
    assert not desk.folders()


def test_a_second_start_has_the_same_from_the_cache(desk: Desk) -> None:
    told, first = desk.prepare()
    again, second = desk.prepare()
    assert State("tokenizing") in told
    assert again == [State("preparing"), *(event for event in told if isinstance(event, Notice))]
    assert len([event for event in again if isinstance(event, Notice)]) == 1, "one row stands there twice"
    for mine, kept in ((first.train, second.train), (first.valid, second.valid)):
        assert mine is not None
        assert kept is not None
        for name in token_cache.ARRAYS:
            assert np.array_equal(getattr(mine, name), getattr(kept, name))
        assert mine.stats == kept.stats
        assert isinstance(kept.tokens, np.memmap), "not read before it is used"
    assert second.report == first.report
    assert second.tokenizer.to_json() == first.tokenizer.to_json()
    assert list(second.train_records) == list(first.train_records)
    assert list(second.valid_records) == list(first.valid_records)
    assert (second.unseen_records, second.template) == ((), first.template)


@pytest.mark.parametrize(
    "change",
    [
        {"tokenizer.vocab_size": 290}, {"model.seq_len": 64}, {"data.template": "plain"}, {"training.seed": 7},
        {"data.duplicates": "keep"}, {"training.batch_size": 8}, {"sampling.stop": ["。"]},
    ],
)  # fmt: skip
def test_another_setting_is_another_cache(desk: Desk, change: dict[str, Any]) -> None:
    desk.prepare()
    assert not desk.from_cache(change)
    assert desk.from_cache(change)
    assert desk.from_cache()


def test_settings_that_change_nothing_share_it(desk: Desk) -> None:
    desk.prepare()
    assert desk.from_cache({"training.lr": 1e-4, "model.n_layer": 2, "data.verify_rows": 3})


def test_other_bytes_are_another_cache(desk: Desk) -> None:
    desk.prepare()
    desk.write([*VALID, {"prompt": "新的？", "completion": "是。"}], "valid.jsonl")
    assert not desk.from_cache()


def test_a_given_tokenizer_counts(desk: Desk) -> None:
    _events, prepared = desk.prepare()
    config = Config().update({"data.train": str(desk.train), "data.valid": str(desk.valid)})
    places = [token_cache.TokenCache(config, given, desk.cache) for given in (None, prepared.tokenizer)]
    assert places[0].load() is None
    assert places[1].load() is None


@pytest.mark.parametrize("name", ["train.tokens", "valid.lines", "about.json"])
@pytest.mark.parametrize("damage", [b"", b"\x00" * 400])
def test_what_is_damaged_is_made_anew(desk: Desk, name: str, damage: bytes) -> None:
    desk.prepare()
    (desk.folders()[0] / name).write_bytes(damage)
    assert not desk.from_cache()
    assert desk.from_cache(), "and whole again"


def test_a_file_that_is_missing_is_made_anew(desk: Desk) -> None:
    desk.prepare()
    (desk.folders()[0] / "train.starts").unlink()
    assert not desk.from_cache()


def test_little_data_and_other_files_are_not_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    array = desk.train.with_name("rows.json")
    array.write_text("[" + ",".join(desk.train.read_text("utf-8").splitlines()) + "]", encoding="utf-8")
    desk.prepare({"data.train": str(array)})
    desk.prepare({"data.valid": None})
    monkeypatch.setattr(token_cache, "LEAST", 1_000_000)
    desk.prepare()
    assert desk.folders() == []


def test_a_cache_that_cannot_be_written_stops_nothing(desk: Desk) -> None:
    desk.cache.write_text("no folder")
    _events, prepared = desk.prepare()
    assert len(prepared.train) == 30


def test_old_ones_go(desk: Desk) -> None:
    for size in (262, 264, 266, 268, 270):
        desk.prepare({"tokenizer.vocab_size": size})
    assert len(desk.folders()) == token_cache.MOST
    assert desk.from_cache({"tokenizer.vocab_size": 270})
    assert not [path for path in desk.cache.iterdir() if path.name.startswith(".")]


def test_rows_are_read_where_they_lie(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    lines = ['\ufeff{"text": "甲"}', "", '{"text": "乙\u2028"}\r', '{"text": "丙"}']
    path.write_text("\n".join(lines), encoding="utf-8", newline="")
    offsets = token_cache.line_offsets(path)
    assert len(offsets) == 4
    numbers = np.asarray([1, 3, 4])
    rows = RowsOfFile(path, offsets[numbers - 1], numbers)
    assert list(rows) == list(read_records(path))
    assert (rows[2], list(rows[1:])) == (list(rows)[2], list(rows)[1:])
    assert [len(rows), len(rows[:2])] == [3, 2]
    path.write_text("", encoding="utf-8")
    for chosen in (rows, rows[1:]):
        with pytest.raises(DataError, match=r"rows\.jsonl: has changed since it was read"):
            chosen[0]


def test_the_cache_may_be_thrown_away(desk: Desk) -> None:
    desk.prepare()
    shutil.rmtree(desk.cache)
    assert not desk.from_cache()


def test_the_latest_used_ones_are_kept(desk: Desk) -> None:
    sizes = range(262, 262 + 2 * token_cache.MOST, 2)
    for age, size in enumerate(sizes):
        desk.prepare({"tokenizer.vocab_size": size})
        newest = max(desk.folders(), key=lambda folder: folder.stat().st_mtime)
        os.utime(newest, (1e9 + age, 1e9 + age))
    assert desk.from_cache({"tokenizer.vocab_size": sizes[0]}), "the oldest, but used again"
    desk.prepare({"tokenizer.vocab_size": 280})
    assert desk.from_cache({"tokenizer.vocab_size": sizes[0]})
    assert not desk.from_cache({"tokenizer.vocab_size": sizes[1]})


def test_another_version_of_the_program_is_another_cache(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.prepare()
    with monkeypatch.context() as patch:
        patch.setattr(token_cache.machine, "code_version", lambda: {"sha256": "another"})
        assert not desk.from_cache()
    with monkeypatch.context() as patch:
        patch.setattr(token_cache.tokenizers, "__version__", "0.0")
        assert not desk.from_cache()
    assert desk.from_cache()


def test_a_file_of_another_name_is_another_cache(desk: Desk) -> None:
    """The report names it."""
    desk.prepare()
    desk.train = desk.train.rename(desk.train.with_name("other.jsonl"))
    _events, prepared = desk.prepare()
    assert prepared.report["train_file"] == "other.jsonl"


def test_lines_are_found_in_large_files_too(tmp_path: Path) -> None:
    """Which are read a piece of 4 MiB at a time."""
    path, size = tmp_path / "rows.jsonl", 1 << 22
    path.write_bytes(b"x" * size + b"\n" + b"y" * size + b"\nz\n")
    assert token_cache.line_offsets(path).tolist() == [0, size + 1, 2 * size + 2, 2 * size + 4]


def test_rows_that_could_not_be_found_again_are_not_kept(desk: Desk) -> None:
    array = desk.valid.with_name("rows.json")
    array.write_text("[" + ",".join(desk.valid.read_text("utf-8").splitlines()) + "]", encoding="utf-8")
    desk.prepare({"data.valid": str(array)})
    text = desk.valid.with_name("text.txt")
    text.write_text("一段文字。" * 20, encoding="utf-8")
    desk.prepare({"data.valid": str(text)})
    assert desk.folders() == []


def test_a_vocabulary_of_a_file_of_its_own_is_read_each_time(desk: Desk) -> None:
    """The file's name says nothing about what is in it."""
    _events, prepared = desk.prepare()
    file = desk.train.with_name("tokenizer.json")
    file.write_text(prepared.tokenizer.to_json(), encoding="utf-8")
    before = desk.folders()
    desk.prepare({"tokenizer.path": str(file)})
    assert desk.folders() == before


def test_with_test_rows_nothing_is_kept(desk: Desk) -> None:
    """Those are not among what is: the second start would ask none of them."""
    changes = {"data.valid": None, "data.valid_fraction": 0.1, "data.test_fraction": 0.2}
    for _start in range(2):
        _events, prepared = desk.prepare(changes)
        assert len(prepared.test_records) == 6
    _events, prepared = desk.prepare({"data.test_fraction": 0.2})
    assert prepared.test_records
    assert desk.folders() == []
