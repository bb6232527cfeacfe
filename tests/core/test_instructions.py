"""Instruction tuning's data: the bundled rows, their three parts, and what of each row is learnt."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.batches import IGNORE, collate
from core.config import Config, load_config
from core.dataset import build_dataset, encode_prompt
from core.doctor import describe_records, load_corpus, question_key, split_rows
from core.records import Record, Turn, find_data, read_records
from core.template import TEMPLATES
from core.text import printable
from core.tokenizer import GPT2_END, Tokenizer
from core.vocabulary import load_vocabulary

FILE = find_data("instructions/bilingual.jsonl")
ROWS: list[dict[str, str]] = [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]
CHINESE = re.compile("[\u4e00-\u9fff]")


# -- the bundled rows ---------------------------------------------------------------------------------------


def test_there_are_enough_in_both_languages() -> None:
    chinese = sum(bool(CHINESE.search(row["instruction"])) for row in ROWS)
    english = sum(not CHINESE.search(row["instruction"]) or "Chinese" in row["instruction"] for row in ROWS)
    assert len(ROWS) >= 300
    assert 0.4 < chinese / len(ROWS) < 0.6
    assert chinese + english == len(ROWS)


def test_every_row_has_the_three_fields_clean() -> None:
    for row in ROWS:
        assert list(row) == ["instruction", "input", "output"]
        assert row["instruction"]
        assert row["output"]
        for text in row.values():
            assert text == text.strip()
            assert printable(text, keep_newlines=True) == text
            assert "###" not in text
            assert not re.search(r"[\u4e00-\u9fff][,;?!:](?!\d)|  ", text)  # half-width marks, double blanks
        assert len(row["output"]) <= 200


def test_no_row_stands_twice_and_none_contradicts_another() -> None:
    found = describe_records(list(read_records(FILE)))
    assert (found["duplicates"], found["conflicting_questions"]) == (0, 0)


def test_they_are_varied_and_many_have_an_input() -> None:
    with_input = [row for row in ROWS if row["input"]]
    assert len(with_input) >= len(ROWS) / 3
    assert len({row["instruction"] for row in ROWS}) >= len(ROWS) / 2
    assert Counter(row["instruction"] for row in ROWS).most_common(1)[0][1] <= 10
    answers = Counter(row["output"] for row in ROWS)
    assert answers.most_common(1)[0][1] <= 5


def test_sums_and_products_are_right() -> None:
    """Those rows that are nothing but a calculation."""
    checked = 0
    for row in ROWS:
        if re.fullmatch(r"[\d.]+( [+−×÷] [\d.]+)+", row["input"]):
            value = eval(row["input"].replace("−", "-").replace("×", "*").replace("÷", "/"))
            assert float(row["output"].rpartition(" ")[2]) == value
            checked += 1
    assert checked >= 8


# -- the three parts ----------------------------------------------------------------------------------------


def parts(seed: int = 42, recipe: str = "alpaca") -> list[list[str]]:
    corpus = load_corpus(load_config(recipe).update({"training.seed": seed}))
    return [[record.where for record in part] for part in (corpus.train, corpus.valid, corpus.test)]


def test_the_parts_are_85_10_and_5_percent() -> None:
    train, valid, test = map(len, parts())
    total = len(ROWS)
    assert (valid, test) == (int(0.1 * total), int(0.05 * total))
    assert train + valid + test == total
    assert 0.84 < train / total < 0.87


def test_the_same_seed_makes_the_same_parts() -> None:
    first = parts()
    assert parts() == first == parts(recipe="alpaca-tiny")
    assert parts(7)[2] != first[2]
    assert sorted(chain(*first)) == sorted(chain(*parts(7)))


def test_a_question_is_in_one_part_only(write_rows: Callable[..., Path]) -> None:
    """However often it stands there, and with whatever answers."""
    rows = [{"instruction": f"q{i % 30}", "input": "x" * (i % 2), "output": f"a{i % 40}"} for i in range(300)]
    data = {"train": str(write_rows(rows)), "valid": None, "valid_fraction": 0.2, "test_fraction": 0.2}
    for duplicates in ("keep", "drop"):
        corpus = load_corpus(Config().update({f"data.{key}": value for key, value in data.items()},
                                             data={"duplicates": duplicates}))  # fmt: skip
        questions = [{question_key(record) for record in part} for part in (corpus.train, corpus.valid, corpus.test)]
        assert all(questions)
        assert sum(map(len, questions)) == len(set.union(*questions)) == 30
        assert corpus.counts["leaks"] == 0
        assert corpus.counts["test_rows"] == len(corpus.test)
    assert sum(len(part) for part in (corpus.train, corpus.valid, corpus.test)) == 120


def test_with_a_validation_file_only_the_test_is_taken_from_training(write_rows: Callable[..., Path]) -> None:
    rows = [{"instruction": f"q{i}", "output": "a"} for i in range(40)]
    valid = write_rows([{"instruction": "other", "output": "a"}], "valid.jsonl")
    changes = {"data.train": str(write_rows(rows)), "data.valid": str(valid), "data.test_fraction": 0.25}
    corpus = load_corpus(Config().update(changes))
    assert [len(part) for part in (corpus.train, corpus.valid, corpus.test)] == [30, 1, 10]


def test_texts_have_no_test_part() -> None:
    text = Record(text="0123456789")
    train, valid, test = split_rows([text], 0.2, 0.2, 0)
    assert ([r.text for r in train], [r.text for r in valid], test) == (["01234567"], ["89"], [])


# -- what is learnt of a row --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """A vocabulary as GPT-2's: one special token, which ends texts and fills batches."""
    from core.tokenizer import _BYTE_TO_CHAR

    folder = tmp_path_factory.mktemp("gpt2")
    tokens = {char: i for i, char in enumerate([*_BYTE_TO_CHAR, "th", "Ġt", GPT2_END])}
    (folder / "vocab.json").write_text(json.dumps(tokens), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\nt h\nĠ t\n", encoding="utf-8")
    return load_vocabulary(folder)


TURNS = [
    Turn("Add.", "3", "1 and 2"),
    Turn("写一句诗。", "春风吹过，\n草都醒了。"),
    Turn("Name the colour of the cloudless sky at noon.", "Blue"),
]


def learnt(turns: list[Turn], tokenizer: Tokenizer, **changes: Any) -> tuple[Any, list[list[int]]]:
    """The batch of these rows, and of each row the places that the loss is computed on."""
    dataset = build_dataset([Record(turns=(turn,)) for turn in turns], tokenizer, TEMPLATES["alpaca"], 512, **changes)
    batch = collate(dataset, np.arange(len(turns)), tokenizer.pad)
    return batch, [[int(t) for t in row[row != IGNORE]] for row in batch.targets]


@pytest.mark.parametrize("kind", ["own", "gpt2"])
def test_the_loss_is_on_the_response_and_the_end_token_and_on_nothing_else(
    kind: str, bpe: Tokenizer, gpt2: Tokenizer
) -> None:
    """Faults 6 and 16 of the seeds: with GPT-2's vocabulary the end token is also what fills a batch."""
    tokenizer = bpe if kind == "own" else gpt2
    assert (tokenizer.pad == tokenizer.eos) == (kind == "gpt2")
    batch, places = learnt(TURNS, tokenizer)
    for row, (turn, ids) in enumerate(zip(TURNS, places, strict=True)):
        assert ids == [*tokenizer.encode(turn.completion), tokenizer.eos]
        prompt = encode_prompt(turn, tokenizer, TEMPLATES["alpaca"], 512)
        at = (batch.targets[row] != IGNORE).nonzero().squeeze(1).tolist()
        # From the prompt's last token, which predicts the first one of the response, to the response's own last.
        assert at == list(range(len(prompt) - 1, len(prompt) + len(ids) - 1))
        assert batch.inputs[row, : len(prompt)].tolist() == prompt
    assert any(row[-1] == tokenizer.pad for row in batch.inputs)  # some row was filled up, and nothing learnt there


def test_what_is_asked_is_what_was_trained(bpe: Tokenizer) -> None:
    """Also where --input comes with blanks and line breaks of another system around it."""
    asked = Turn("  Add.\n", context="\r\n1 and 2 \n")
    template = TEMPLATES["alpaca"]
    assert encode_prompt(asked, bpe, template, 512) == encode_prompt(TURNS[0], bpe, template, 512)
    assert encode_prompt(Turn("Add.", context=" \n"), bpe, template, 512) == encode_prompt("Add.", bpe, template, 512)
