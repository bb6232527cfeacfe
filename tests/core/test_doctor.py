"""What the data really is: duplicates, leaks, conflicts, lengths, cuts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config import Config, load_config
from core.dataset import build_dataset
from core.doctor import (
    describe_dataset,
    describe_records,
    file_fingerprint,
    load_corpus,
    overlap,
    question_key,
    row_key,
    unique_rows,
)
from core.errors import DataError
from core.records import Record, Turn, read_records
from core.template import TEMPLATES
from core.tokenizer import Tokenizer

WriteRows = Callable[..., Path]


def qa(prompt: str, completion: str = "答", **more: Any) -> Record:
    return Record(turns=(Turn(prompt, completion),), **more)


def pairs(*prompts: str) -> list[dict[str, str]]:
    return [{"prompt": prompt, "completion": f"答{prompt.strip()}"} for prompt in prompts]


def config(train: Path, valid: Path | None = None, **data: Any) -> Config:
    return Config().update({"data.train": str(train), "data.valid": str(valid) if valid else None}, data=data)


# --- when two rows are the same


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (qa("什么是注意力？"), qa(" 什么 是注意力?\n")),
        (qa("a", "b"), qa("a", " b\n")),
        (qa("a", where="f:1", fact="x", kind="fixed"), qa("a", where="g:9", fact="y")),
    ],
)
def test_rows_that_the_model_cannot_tell_apart_are_the_same(first: Record, second: Record) -> None:
    assert row_key(first) == row_key(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (qa("a", "b"), qa("a", "c")),
        (qa("a", "b"), Record(turns=(Turn("a", "b", "context"),))),
        (qa("a", "b"), qa("a", "b", system="s")),
        (qa("a", "b"), Record(turns=(Turn("x", "y"), Turn("a", "b")))),
        (Record(text="a"), Record(text="a ")),
        (qa("What is it"), qa("Whatis it")),
    ],
)
def test_other_rows_are_not(first: Record, second: Record) -> None:
    assert row_key(first) != row_key(second)


def test_a_question_is_a_row_without_its_last_answer() -> None:
    history = Turn("x", "y")
    first, second = Record(turns=(history, Turn("a", "b"))), Record(turns=(history, Turn(" a", "c")))
    assert question_key(first) == question_key(second)
    assert question_key(first) != question_key(qa("a", "b"))


@given(st.lists(st.sampled_from("abcde"), max_size=12))
def test_unique_rows_keep_the_order_and_the_first(prompts: list[str]) -> None:
    found = unique_rows([qa(prompt, where=f"f:{i}") for i, prompt in enumerate(prompts)])
    assert [record.prompt for record in found] == list(dict.fromkeys(prompts))
    assert [record.where for record in found] == [f"f:{prompts.index(prompt)}" for prompt in dict.fromkeys(prompts)]


# --- fault 14: validation text = training text


def test_leaks_and_duplicates_are_dropped_and_counted(write_rows: WriteRows) -> None:
    train = write_rows(pairs("甲", "乙", "甲", " 甲", "丙"), "train.jsonl")
    valid = write_rows(pairs("丁", "甲", "乙 ", "丁", "戊"), "valid.jsonl")
    corpus = load_corpus(config(train, valid))
    assert [record.prompt for record in corpus.train] == ["甲", "乙", "丙"]
    assert [record.prompt for record in corpus.valid] == ["丁", "戊"]
    assert corpus.counts == {
        "train_rows": 5, "train_duplicates": 2, "train_used": 3,
        "valid_rows": 5, "valid_duplicates": 1, "leaks": 2, "valid_used": 2,
    }  # fmt: skip
    assert overlap(corpus.train, corpus.valid) == 0


def test_leaks_and_duplicates_may_be_kept_and_are_counted_all_the_same(write_rows: WriteRows) -> None:
    train = write_rows(pairs("甲", "乙", "甲"), "train.jsonl")
    valid = write_rows(pairs("甲", "丁", "甲"), "valid.jsonl")
    corpus = load_corpus(config(train, valid, duplicates="keep", leaks="keep"))
    assert len(corpus.train) == len(corpus.valid) == 3
    assert (corpus.counts["train_duplicates"], corpus.counts["valid_duplicates"], corpus.counts["leaks"]) == (1, 1, 2)
    assert overlap(corpus.train, corpus.valid) == 2


def test_the_same_question_with_another_answer_is_no_leak(write_rows: WriteRows) -> None:
    train = write_rows([{"prompt": "a", "completion": "b"}], "train.jsonl")
    valid = write_rows([{"prompt": "a", "completion": "c"}], "valid.jsonl")
    assert load_corpus(config(train, valid)).counts["leaks"] == 0


def test_files_are_known_by_their_bytes(write_rows: WriteRows) -> None:
    train, valid = write_rows(pairs("甲"), "train.jsonl"), write_rows(pairs("乙"), "valid.jsonl")
    found = load_corpus(config(train, valid)).fingerprints
    assert found == {
        "train.jsonl": hashlib.sha256(train.read_bytes()).hexdigest(),
        "valid/valid.jsonl": file_fingerprint(valid),
    }


@pytest.mark.parametrize("rows", [[], [{"prompt": "a"}]], ids=["empty", "broken"])
def test_a_corpus_without_rows_is_refused(write_rows: WriteRows, rows: list[Any]) -> None:
    path = write_rows(rows)
    with pytest.raises(DataError, match=r"rows\.jsonl"):
        load_corpus(config(path))


# --- a part kept for validation


def test_a_part_of_the_rows_is_kept_for_validation(write_rows: WriteRows) -> None:
    prompts = [f"问{i}" for i in range(40)]
    path = write_rows(pairs(*prompts))
    corpus = load_corpus(config(path, valid_fraction=0.25))
    train, valid = ([record.prompt for record in part] for part in (corpus.train, corpus.valid))
    assert len(valid) == 10
    assert sorted(train + valid) == sorted(prompts)
    assert [prompt for prompt in prompts if prompt in valid] == valid  # in the order of the file
    again = load_corpus(config(path, valid_fraction=0.25))
    assert again.valid == corpus.valid
    other = load_corpus(config(path, valid_fraction=0.25).update({"training.seed": 1}))
    assert other.valid != corpus.valid


def test_no_part_may_be_kept(write_rows: WriteRows) -> None:
    corpus = load_corpus(config(write_rows(pairs("甲", "乙")), valid_fraction=0.0))
    assert (len(corpus.train), corpus.valid) == (2, [])


def test_of_a_text_the_last_part_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("0123456789", encoding="utf-8")
    corpus = load_corpus(config(path, valid_fraction=0.3))
    assert [record.text for record in corpus.train] == ["0123456"]
    assert [record.text for record in corpus.valid] == ["789"]


def test_duplicates_that_are_kept_do_not_leak_into_the_part(write_rows: WriteRows) -> None:
    path = write_rows(pairs(*["甲", "乙", "丙", "丁"] * 10))
    corpus = load_corpus(config(path, valid_fraction=0.5, duplicates="keep"))
    assert (len(corpus.train), len(corpus.valid), corpus.counts["leaks"]) == (20, 20, 0)
    assert overlap(corpus.train, corpus.valid) == 0


# --- the report


def test_what_is_counted_without_a_tokenizer() -> None:
    records = [
        qa("a", "b", fact="1"), qa("a", "b", fact="1"), qa("a", "c", fact="2"),
        qa("d", "e"), qa("d ", "e "), Record(text="xyz"), Record(text="xyz"),
    ]  # fmt: skip
    assert describe_records(records) == {
        "rows": 7, "unique": 4, "duplicates": 3, "most_repeated": 2,
        "conflicting_questions": 1, "facts": 2, "characters": 6 + 2 + 4 + 6,
    }  # fmt: skip
    assert describe_records([])["most_repeated"] == 0


def test_lengths_cuts_and_padding_are_reported(bpe: Tokenizer) -> None:
    records = [qa("问" * n, "答") for n in (1, 2, 3, 30)] + [qa("x", "鲸" * 30, where="f:5")]
    dataset = build_dataset(records, bpe, TEMPLATES["teacher"], 32)
    report = describe_dataset(dataset, 2, 32, 0)
    assert (report["rows"], report["lost"], report["lost_where"], report["cut"]) == (4, 1, ["f:5"], 1)
    assert report["cut_tokens"] == dataset.stats.cut_tokens > 0
    assert report["tokens"] == int(dataset.lengths.sum())
    assert report["supervised_tokens"] == dataset.supervised_tokens
    assert report["length"]["min"] == dataset.lengths.min()
    assert report["length"]["max"] == 33
    assert 0 < report["padding_share"] < report["padding_share_to_seq_len"] < 1


def test_nothing_is_reported_of_nothing(bpe: Tokenizer) -> None:
    report = describe_dataset(build_dataset([], bpe, TEMPLATES["teacher"], 32), 2, 32, 0)
    assert (report["rows"], report["supervised_tokens"]) == (0, 0)


# --- the corpus that comes along


def test_the_bundled_corpus_has_no_row_twice_and_asks_nothing_in_validation_that_it_trains_on() -> None:
    recipe = load_config("teacher")
    corpus = load_corpus(recipe)
    assert (corpus.counts["train_duplicates"], corpus.counts["valid_duplicates"], corpus.counts["leaks"]) == (0, 0, 0)
    trained = {question_key(record) for record in corpus.train}
    assert [record.where for record in corpus.valid if question_key(record) in trained] == []
    assert describe_records(corpus.train)["conflicting_questions"] == 0
    answers = {record.prompt: record.completion for record in corpus.train}
    for probe in recipe.data.probes:
        assert answers[probe.prompt] == probe.expected


def test_the_seeds_rows_are_found_out(write_rows: WriteRows) -> None:
    """510 rows that were 61 pairs, nine of them repeated 48 to 55 times."""
    rows = pairs(*[f"问{i}" for i in range(61)], *[f"问{i}" for i in range(9)] * 50)
    report = describe_records(list(read_records(write_rows(rows))))
    assert (report["rows"], report["unique"], report["most_repeated"]) == (511, 61, 51)
