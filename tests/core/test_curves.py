"""The numbers behind a figure, from a run's recorded events."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from core.curves import MEANS, MOST_POINTS, Curve, read_curve
from core.events import Eval, Event, RolledBack, Started, Step
from core.runs import Run
from gpt_tui.metrics_table import measured


def step(number: int, loss: float = 2.0, per_epoch: int = 10) -> Step:
    return Step(number, loss, 1e-3, 1.0, 100.0, float(number), None, number / per_epoch, 50 * number)


def started(resumed: int = 0) -> Started:
    return Started("a", "runs/a", "teacher", resumed, "cpu", 1, "fp32", 9, 300, 20, None)


@pytest.fixture
def record(tmp_path: Path) -> Callable[[Iterable[Event]], Run]:
    """A function that writes events as a run's metrics."""

    def write(events: Iterable[Event]) -> Run:
        run = Run(tmp_path / "a")
        run.path.mkdir()
        run.metrics.write_text("".join(json.dumps(event.to_json()) + "\n" for event in events), encoding="utf-8")
        return run

    return write


def test_steps_and_evaluations(record: Callable[[Iterable[Event]], Run]) -> None:
    run = record([started(), step(5, 3.0), Eval(5, 3.5, 3.5, 5, True), step(10, 1.0), Eval(10, 0.5, 0.5, 10, True)])
    curve = read_curve(run)
    assert (curve.name, curve.recipe) == ("a", "teacher")
    assert [s.step for s in curve.steps] == [5, 10]
    assert curve.evals == [(5, 3.5), (10, 0.5)]
    assert (curve.lowest, curve.highest) == (0.5, 3.5)
    assert curve.tokens_per_epoch == 500


def test_what_a_resume_did_again_counts_once(record: Callable[[Iterable[Event]], Run]) -> None:
    events = [started(), step(5), step(10, 9.0), Eval(10, 9.0, 9.0, 10), started(5), step(10, 1.0), step(15)]
    curve = read_curve(record(events))
    assert [(s.step, s.loss) for s in curve.steps] == [(5, 2.0), (10, 1.0), (15, 2.0)]
    assert curve.evals == []


def test_the_epoch_at_a_step() -> None:
    curve = Curve("a", "", [step(10), step(20), step(30)], [])
    found = [curve.epoch_at(n) for n in (0, 5, 10, 15, 30, 35)]
    assert found == pytest.approx([0.0, 0.5, 1.0, 1.5, 3.0, 3.5])
    assert Curve("a", "", [step(10)], []).epoch_at(20) == pytest.approx(2.0)


def test_training_means_lie_between_evaluations() -> None:
    steps = [step(n, float(n)) for n in range(1, 10)]
    epochs, losses = Curve("a", "", steps, [(3, 1.0), (6, 1.0), (8, 1.0)]).train_means()
    assert losses == pytest.approx([2.0, 5.0, 7.5, 9.0])
    assert epochs == pytest.approx([0.2, 0.5, 0.75, 0.9])


def test_without_evaluations_they_are_means_of_equal_parts() -> None:
    assert Curve("a", "", [step(n, float(n)) for n in (1, 2, 3)], []).train_means()[1] == [1.0, 2.0, 3.0]
    epochs, losses = Curve("a", "", [step(n) for n in range(1, 10 * MEANS + 4)], []).train_means()
    assert len(epochs) == len(losses) == MEANS + 1


def test_a_loss_that_is_no_number_leaves_a_gap() -> None:
    curve = Curve("a", "", [step(1), step(2, math.nan), step(3)], [(1, 1.0), (2, 1.0), (3, 1.0)])
    assert [math.isnan(loss) for loss in curve.thinned()[1]] == [False, True, False]
    assert [math.isnan(loss) for loss in curve.smooth(curve.thinned()[1])] == [False, True, False]
    assert len(curve.train_means()[1]) == 2
    assert (curve.lowest, curve.highest) == (1.0, 2.0)


def test_many_steps_are_thinned() -> None:
    steps, losses = Curve("a", "", [step(n) for n in range(1, 3 * MOST_POINTS)], []).thinned()
    assert len(steps) == len(losses) == MOST_POINTS


def test_a_smooth_line_follows() -> None:
    assert Curve.smooth([1.0] * 40 + [2.0] * 200)[-1] == pytest.approx(2.0, abs=0.01)
    assert Curve.smooth([1.0, 3.0]) == [1.0, 3.0]
    assert Curve.smooth([]) == []


def test_what_a_rollback_took_back_is_gone(record: Callable[[Iterable[Event]], Run]) -> None:
    run = record([started(), step(10), step(20), Eval(20, 1.8, 1.8, 20, True), step(30, 50.0),
                  Eval(30, 60.0, 1.8, 20, False), RolledBack(30, 20, 0.5), step(25)])  # fmt: skip
    curve = read_curve(run)
    assert [s.step for s in curve.steps] == [10, 20, 25]
    assert curve.evals == [(20, 1.8)]
    rows = measured(run.read_metrics())
    assert [row["step"] for row in rows] == [10, 20, 25]
    assert [row["step"] for row in measured([step(5), step(9), started(5), step(7)])] == [5, 7]


def test_without_one_loss_there_is_nothing_to_draw() -> None:
    assert not Curve("a", "", [step(1, math.nan)], []).drawable
    assert not Curve("a", "", [], [(1, 2.0)]).drawable
    assert Curve("a", "", [step(1)], []).drawable
