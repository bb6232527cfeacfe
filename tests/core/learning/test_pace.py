"""How long a training still takes."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from core.control import Control
from core.training.disk import Disk
from core.training.pace import WARM_STEPS, Pace


def estimates(seconds: list[float], tmp_path: Path, before: float = 0.0) -> list[float | None]:
    """What is said to be left after each of some steps that take so long, of as many as there are."""
    pace = Pace(Disk(Control(), tmp_path, lambda: None))
    pace.start(0, before)
    elapsed = itertools.accumulate(seconds, initial=before)
    next(elapsed)
    return [pace.eta(step, now, step / len(seconds)) for step, now in enumerate(elapsed, 1)]


def test_the_first_steps_say_nothing_about_the_rest(tmp_path: Path) -> None:
    found = estimates([60.0] * WARM_STEPS + [1.0] * 95, tmp_path)
    assert found[:WARM_STEPS] == [None] * WARM_STEPS
    assert found[WARM_STEPS] == pytest.approx(94.0)
    assert found[-1] == 0.0


@pytest.mark.parametrize("before", [0.0, 5000.0])
def test_equal_steps_are_counted_down(before: float, tmp_path: Path) -> None:
    found = estimates([2.0] * 1000, tmp_path, before)
    for step in range(WARM_STEPS + 1, 1001):
        assert found[step - 1] == pytest.approx(2.0 * (1000 - step))


def test_a_machine_that_becomes_free_is_believed_after_as_long_again(tmp_path: Path) -> None:
    found = estimates([4.0] * 105 + [1.0] * 895, tmp_path)
    busy = found[104]
    assert busy == pytest.approx(4.0 * 895)
    at = 105 + 420  # the last part of the time, and a mark more, lies behind the change
    assert found[at + 10] == pytest.approx(1000 - at - 11, rel=0.02)


def test_of_another_budget_only_the_steps_since_then_tell(tmp_path: Path) -> None:
    pace = Pace(Disk(Control(), tmp_path, lambda: None))
    pace.start(0)
    for step in range(1, 51):
        pace.eta(step, float(step), step / 1000)
    pace.restart()
    assert pace.eta(51, 51.0, 51 / 100) is None
    for step in range(52, 100):
        assert pace.eta(step, float(step), step / 100) == pytest.approx(100 - step)


def test_an_evaluation_now_and_then_counts_in_proportion(tmp_path: Path) -> None:
    seconds = [11.0 if step % 50 == 0 else 1.0 for step in range(1, 1001)]
    found = estimates(seconds, tmp_path)
    for step in range(200, 1000):
        left = sum(seconds[step:])
        assert abs((found[step - 1] or 0.0) - left) <= 0.1 * left + 11.0
