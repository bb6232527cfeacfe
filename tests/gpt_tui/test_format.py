"""Numbers, times and tables as people read them, and JSON that is safe on a terminal."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.text import cell_width, printable
from gpt_tui.format import duration, json_line, number, percent, size, table


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"), (0, "0:00"), (7.4, "0:07"), (7.6, "0:08"), (59.6, "1:00"), (754, "12:34"), (3599.4, "59:59"),
        (3599.6, "1:00:00"), (3723, "1:02:03"), (360_000, "100:00:00"), (-3, "0:00"),
    ],
)  # fmt: skip
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (13_472_768, "13.5 MB"), (999_900_000, "999.9 MB"),
        (2_710_000_000, "2.71 GB"), (5e12, "5000.00 GB"),
    ],
)  # fmt: skip
def test_sizes(count: float, text: str) -> None:
    assert size(count) == text


def test_shares_and_numbers() -> None:
    assert [percent(share) for share in (None, 0.0, 0.5, 0.98765, 1.0)] == ["–", "0.0 %", "50.0 %", "98.8 %", "100.0 %"]
    assert [number(value) for value in (None, 0.0, 1.23456)] == ["–", "0.0000", "1.2346"]
    assert number(2.5, 1) == "2.5"


def test_tables_align_in_terminal_cells() -> None:
    lines = table([["水", "1"], ["water", "22"]], ["名称", "数"], right=(1,))
    assert lines == ["名称   数", "水      1", "water  22"]
    assert len({sum(map(cell_width, line)) for line in lines}) == 1


def test_tables_leave_no_blanks_at_the_end() -> None:
    assert table([["a", "x"], ["bbb", ""]]) == ["a    x", "bbb"]
    assert table([]) == []
    assert table([], ["a", "b"]) == ["a  b"]


HOSTILE = "\x1b[31m\x9b31m\x7f\u202e\u2066\u200b\u2028\ufeff\U000e0041\ud800\n"


def test_json_is_one_line_that_no_terminal_obeys() -> None:
    text = json_line({"水" + HOSTILE: [HOSTILE, 1.5, None, "鲸🐋"]})
    assert printable(text) == text
    assert text.isprintable()
    assert json.loads(text) == {"水" + HOSTILE: [HOSTILE, 1.5, None, "鲸🐋"]}
    assert "鲸🐋" in text, "what is harmless stays readable"


any_text = st.text(st.characters(exclude_categories=()))
any_value = st.recursive(
    any_text | st.integers() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(any_text, inner),
    max_leaves=8,
)


@given(any_value)
def test_json_says_the_same_to_a_reader(value: object) -> None:
    text = json_line(value)
    assert json.loads(text) == json.loads(json.dumps(value))
    assert printable(text) == text


def test_json_of_plain_values_is_plain() -> None:
    assert json_line({"a": [1, 0.5, None, True, "水"]}) == '{"a": [1, 0.5, null, true, "水"]}'
    assert math.isclose(json.loads(json_line(0.1)), 0.1)
