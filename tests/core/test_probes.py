"""Which questions are asked after each evaluation."""

from __future__ import annotations

import pytest

from core.config import Config, load_config
from core.probes import probes_of
from core.records import Record, Turn
from core.schema import Probe

ROWS = [
    Record(turns=(Turn("a"), Turn("b", "c"))),
    Record(text="a text"),
    Record(turns=(Turn("say", "x", "an input"),)),
    *(Record(turns=(Turn(f"question {i}", f" answer {i}\n"),)) for i in range(3)),
]
FIRST = [Probe(prompt=f"question {i}", expected=f"answer {i}") for i in range(2)]


def test_a_recipe_on_its_own_data_asks_its_own() -> None:
    config = load_config("teacher")
    assert probes_of(config, ROWS, ROWS) == config.data.probes != []


def test_a_recipe_on_other_data_asks_what_can_be_asked_of_that() -> None:
    config = load_config("teacher").update({"data.train": "mine.csv"})
    assert probes_of(config, ROWS, []) == FIRST
    assert probes_of(config, [], ROWS) == probes_of(config, ROWS[:3], ROWS) == FIRST
    assert probes_of(config, ROWS[:3], []) == []


@pytest.mark.parametrize("name", ["data/teacher/train.jsonl", "/x/core/_bundled/data/teacher/train.jsonl"])
def test_the_recipes_data_in_a_folder_of_ones_own_is_the_recipes(name: str) -> None:
    config = load_config("teacher")
    assert probes_of(config.update({"data.train": name}), ROWS, ROWS) == config.data.probes


def test_long_questions_are_not_asked() -> None:
    config = load_config("teacher").update({"data.train": "mine.csv"})
    long = [Record(turns=(Turn("x" * length, "y"),)) for length in (20_000, 201)]
    assert probes_of(config, [*long, *ROWS], []) == FIRST
    assert probes_of(config, long, long) == []


def test_what_somebody_has_chosen_is_asked() -> None:
    mine = load_config("teacher").update({"data.train": "mine.csv", "data.probes": [{"prompt": "who?"}]})
    assert probes_of(mine, ROWS, ROWS) == [Probe(prompt="who?")]
    assert probes_of(mine.update({"data.probes": []}), ROWS, ROWS) == []
    assert probes_of(Config().update({"recipe": "own", "data.probes": [{"prompt": "who?"}]}), ROWS, ROWS) != FIRST
