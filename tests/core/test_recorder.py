"""A run's events in its file, one line each, as they happen."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from core.events import Eval, Event, Finished, Notice, Saved, State, Step
from core.recorder import Recorder
from core.runs import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "run").mkdir()
    return Run(tmp_path / "run")


def step(number: int, loss: float = 1.0) -> Step:
    return Step(number, loss, 1e-3, 1.0, 100.0, 1.0, None)


def kinds(run: Run) -> list[tuple[str, int]]:
    return [(event.kind, getattr(event, "step", -1)) for event in run.read_metrics()]


def test_events_are_readable_as_soon_as_they_happen(run: Run) -> None:
    told: list[Event] = [State("preparing"), step(1), Notice("{a}", {"a": "鲸\n\u2028"}), Eval(1, 2.0, 2.0)]
    with Recorder(run) as recorder:
        for number, event in enumerate(told, 1):
            recorder.write(event)
            assert list(run.read_metrics()) == told[:number]
    text = run.metrics.read_text(encoding="utf-8")
    assert "鲸" in text
    assert text.count("\n") == len(told)


def test_a_loss_that_is_no_number_is_recorded(run: Run) -> None:
    with Recorder(run) as recorder:
        recorder.write(step(1, float("nan")))
    assert json.loads(run.metrics.read_text())["loss"] is None


def test_a_path_that_is_no_utf8_is_recorded(run: Run) -> None:
    saved = Saved(1, os.fsdecode(b"/runs/\xb5\xe7"))
    with Recorder(run) as recorder:
        recorder.write(saved)
    assert list(run.read_metrics()) == [saved]


def test_a_second_recorder_goes_on_behind_half_a_line(run: Run) -> None:
    with Recorder(run) as recorder:
        recorder.write(step(1))
    with open(run.metrics, "ab") as file:
        file.write(b'{"kind":"step","st')  # killed here
    with Recorder(run) as recorder:
        recorder.write(step(2))
    assert kinds(run) == [("step", 1), ("step", 2)]


def test_what_comes_after_the_step_of_a_resume_is_forgotten(run: Run) -> None:
    with Recorder(run) as recorder:
        for event in (State("preparing"), step(10), Eval(10, 2.0), Saved(10, "p"), step(20), Eval(20, 1.0)):
            recorder.write(event)
        recorder.write(Finished("SIGTERM", 20, 3.0))
    with open(run.metrics, "ab") as file:
        file.write(b'[1]\nnull\nnonsense\n{"kind":"step","step":"10"}\n{"kind":"future","step":3}\n{"half')
    with Recorder(run) as recorder:
        recorder.forget_after(10)
        recorder.write(step(11))
    assert kinds(run) == [("state", 0), ("step", 10), ("eval", 10), ("checkpoint", 10), ("step", 11)]
    assert '"future"' in run.metrics.read_text()  # of a newer version perhaps: kept
    assert run.metrics.read_bytes().endswith(b"\n")


def test_forgetting_nothing_changes_nothing(run: Run) -> None:
    with Recorder(run) as recorder:
        recorder.write(step(1))
        before = run.metrics.read_bytes()
        recorder.forget_after(1)
        assert run.metrics.read_bytes() == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_stops_the_record_but_not_the_training(run: Run) -> None:
    run.metrics.symlink_to("/dev/full")
    with Recorder(run) as recorder:
        for number in range(3):
            recorder.write(step(number))
