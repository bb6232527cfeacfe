"""A verdict on two checkpoints: the exact paired test, and what it is worth on a tiny trained model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import comb
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import compare as module
from core.compare import Change, Comparison, compare, sign_test
from core.config import Config
from core.errors import DataError
from core.evaluate import Graded, grade
from core.events import Progress
from core.records import Record, Turn

from .drained import drained


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 0.0625), (6, 0, 0.03125), (0, 6, 0.03125), (9, 1, 0.021484375), (3, 3, 1.0),
     (15, 3, 0.007537841796875)],
)  # fmt: skip
def test_known_values(gained: int, lost: int, p: float) -> None:
    assert sign_test(gained, lost) == p


@given(st.integers(0, 200), st.integers(0, 200))
def test_it_is_the_two_sided_binomial_test(gained: int, lost: int) -> None:
    n = gained + lost
    observed = comb(n, gained)
    exact = sum(Fraction(comb(n, k), 2**n) for k in range(n + 1) if comb(n, k) <= observed)
    assert sign_test(gained, lost) == pytest.approx(float(exact), rel=1e-12)
    assert sign_test(gained, lost) == sign_test(lost, gained)


def test_very_many_rows() -> None:
    assert sign_test(20_000, 20_000) == 1.0
    assert 0.0 <= sign_test(30_000, 10_000) < 1e-300


def made(gained: int, lost: int) -> Comparison:
    change = Change("q", "e", "a", "b")
    return Comparison({}, {}, [change] * gained, [change] * lost, sign_test(gained, lost))


def test_verdicts() -> None:
    assert made(6, 0).verdict == "better"
    assert made(0, 6).verdict == "worse"
    assert [made(*counts).verdict for counts in ((5, 0), (0, 0), (20, 12), (12, 20))] == ["same"] * 4
    assert made(6, 0).to_json()["verdict"] == "better"
    assert len(made(6, 2).to_json()["gained"]) == 6


ROWS = [Record(turns=(Turn(f"{i}?", str(i)),), kind="even" if i % 2 == 0 else "odd") for i in range(10)]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that are functions from a question's number to an answer, and answer in reverse order."""

    def ask(
        model: Any, tokenizer: Any, template: Any, sampling: Any, records: Sequence[Record]
    ) -> Iterator[tuple[int, Graded]]:
        for i in reversed(range(len(records))):
            row, text = records[i], str(model(i))
            yield i, Graded(row.prompt, row.completion, text, grade(text, row.completion), row.kind)

    monkeypatch.setattr(vars(module)["__name__"] + ".ask_numbered", ask)


def loaded(answer: Any) -> Any:
    return SimpleNamespace(model=answer, tokenizer=None, config=Config())


def run(a: Any, b: Any, records: Sequence[Record] = ROWS) -> tuple[list[Progress], Comparison]:
    events, comparison = drained(compare(loaded(a), loaded(b), records))
    return [event for event in events if isinstance(event, Progress)], comparison


@pytest.mark.usefixtures("asked")
def test_rows_that_changed_both_ways() -> None:
    events, result = run(lambda i: i if i < 4 else "?", lambda i: i if i > 2 else f"{i}!")
    assert [change.prompt for change in result.lost] == ["0?", "1?", "2?"]
    assert [change.prompt for change in result.gained] == ["4?", "5?", "6?", "7?", "8?", "9?"]
    assert result.lost[0] == Change("0?", "0", "0", "0!", "even")
    assert (result.a["exact"], result.b["exact"], result.b["contains"]) == (4, 7, 3)
    assert result.a["by_kind"]["even"]["total"] == 5
    assert result.p == pytest.approx(0.5078125)
    assert events[0] == Progress("comparing", 1, 20)
    assert events[-1] == Progress("comparing", 20, 20)


@pytest.mark.usefixtures("asked")
def test_the_same_model_twice_is_the_same() -> None:
    _, result = run(lambda i: i, lambda i: i)
    assert (result.gained, result.lost, result.p, result.verdict) == ([], [], 1.0, "same")


@pytest.mark.usefixtures("asked")
def test_texts_have_no_questions() -> None:
    with pytest.raises(DataError, match="no question with an answer to compare on"):
        run(lambda i: i, lambda i: i, [Record(text="the sea")])
