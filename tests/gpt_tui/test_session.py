import errno
import math
import os
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from core.config import Config, load_config
from core.errors import DataError, RunError
from core.events import Changed, Eval, Event, Finished, Notice, Probe, RolledBack, Saved, Started, State, Step
from core.runs import Run
from gpt_tui import leaving
from gpt_tui.history import MAX_POINTS, History
from gpt_tui.session import Session, Snapshot

from .fake_engine import FakeEngine, FakeRun


def wait_until(condition: Callable[[], bool]) -> None:
    for _look in range(2000):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError("did not happen")


def begin(session: Session, folder: Path, **options: Any) -> None:
    session.start(load_config("teacher"), FakeRun(folder / "run"), **options)


def test_idle() -> None:
    snapshot = Session(FakeEngine()).snapshot()
    assert (snapshot.state, snapshot.can_start, snapshot.can_stop) == ("idle", True, False)
    assert snapshot.steps == ()


def test_a_training_to_its_end(tmp_path: Path) -> None:
    session = Session(FakeEngine(steps=40))
    begin(session, tmp_path)
    assert session.join(5.0)
    snapshot = session.snapshot()
    assert (snapshot.state, snapshot.step, snapshot.total_steps) == ("done", 40, 40)
    assert len(snapshot.steps) == 40
    assert len(snapshot.evals) == 4
    assert snapshot.best_loss == min(e.loss for e in snapshot.evals)
    assert [probe.exact for probe in snapshot.probes] == [True, False]
    assert snapshot.saved is not None
    assert snapshot.saved_age is not None
    assert snapshot.progress == 1.0
    assert snapshot.finished is not None
    assert snapshot.elapsed == pytest.approx(4.0)
    assert snapshot.can_start
    log = (tmp_path / "run" / "train.log").read_text(encoding="utf-8")
    assert "step" in log
    assert len(log.splitlines()) == snapshot.log_count


def test_a_second_start_is_refused_until_the_thread_has_ended(tmp_path: Path) -> None:
    session = Session(FakeEngine(steps=10**6, seconds_per_step=0.001))
    begin(session, tmp_path)
    with pytest.raises(RunError):
        begin(session, tmp_path)
    session.stop()
    assert session.join(5.0)
    begin(session, tmp_path)
    session.stop(discard=True)
    assert session.join(5.0)


def test_pause_resume_save_update_stop(tmp_path: Path) -> None:
    engine = FakeEngine(steps=10**6, seconds_per_step=0.001)
    session = Session(engine)
    begin(session, tmp_path)
    wait_until(lambda: session.snapshot().step > 3)
    session.pause()
    wait_until(lambda: session.snapshot().state == "paused")
    snapshot = session.snapshot()
    assert (snapshot.can_resume, snapshot.can_pause, snapshot.pausing) == (True, False, False)
    time.sleep(0.05)
    assert session.snapshot().elapsed == snapshot.elapsed, "the time stands still"
    session.resume()
    wait_until(lambda: session.snapshot().step > snapshot.step)
    session.save_now()
    wait_until(lambda: session.snapshot().saved is not None)
    session.update("training.lr", 5e-4)
    wait_until(lambda: engine.changed == [{"training.lr": 5e-4}])
    session.stop()
    assert session.join(5.0)
    end = session.snapshot()
    assert end.finished is not None
    assert (end.state, end.finished.reason) == ("done", "user")
    assert end.progress < 1.0


def test_stop_wakes_a_pause_and_can_discard(tmp_path: Path) -> None:
    engine = FakeEngine(steps=10**6, seconds_per_step=0.001)
    session = Session(engine)
    begin(session, tmp_path)
    session.pause()
    wait_until(lambda: session.snapshot().state == "paused")
    session.stop(discard=True)
    assert session.join(5.0)
    assert engine.discarded


@pytest.mark.parametrize(
    ("error", "cause", "advice"),
    [
        (DataError("{file} is empty", file="a\x1b[31m.jsonl"), "a\\x1b[31m.jsonl is empty", "data.train"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full", "runs delete"),
        (MemoryError(), "the memory is used up", "micro_batch"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "the memory is used up", "micro"),
        (
            RunError("no number, also after going back; try {x}", x=1),
            "no number, also after going back; try 1",
            "Config tab",
        ),
        (ZeroDivisionError("division\x07"), "ZeroDivisionError: division\\x07", "train.log"),
    ],
)
def test_a_failure_has_a_cause_and_an_advice(error: Exception, cause: str, advice: str, tmp_path: Path) -> None:
    session = Session(FakeEngine(fail_at=5, error=error))
    begin(session, tmp_path)
    assert session.join(5.0)
    snapshot = session.snapshot()
    assert snapshot.state == "failed"
    assert snapshot.failure is not None
    assert snapshot.failure.cause == cause
    assert advice in snapshot.failure.advice
    assert snapshot.can_start, "the app lives on"
    assert cause in (tmp_path / "run" / "train.log").read_text(encoding="utf-8")
    begin(session, tmp_path)
    session.stop()
    assert session.join(5.0)
    assert session.snapshot().failure is None or session.snapshot().state == "failed"


def test_a_fault_leaves_its_traceback_in_the_log(tmp_path: Path) -> None:
    session = Session(FakeEngine(fail_at=2, error=KeyError("x")))
    begin(session, tmp_path)
    session.join(5.0)
    assert "Traceback" in (tmp_path / "run" / "train.log").read_text(encoding="utf-8")


def test_a_run_that_cannot_be_made_is_a_failure() -> None:
    def no_run() -> Any:
        raise RunError("no such run")

    session = Session(FakeEngine())
    session.start(Config(), no_run)
    assert session.join(5.0)
    assert session.snapshot().state == "failed"


def test_a_resumed_run_shows_what_happened_before(tmp_path: Path) -> None:
    earlier: list[Event] = [
        *(Step(n, 3.0, 1e-3, 1.0, 1000.0, float(n), None) for n in range(1, 9)),
        Eval(5, 2.5, 2.5, 5, True),
        Probe(5, "什么是注意力机制？", "旧", None, False),
    ]
    session = Session(FakeEngine(steps=12, resumed_step=6))
    session.start(load_config("teacher"), FakeRun(tmp_path / "run", earlier), resume=True)
    assert session.join(5.0)
    snapshot = session.snapshot()
    assert [step.step for step in snapshot.steps] == list(range(1, 13))
    assert snapshot.evals[0].step == 5


def test_the_engine_is_closed_and_the_thread_gone(tmp_path: Path) -> None:
    closed = threading.Event()

    def engine(config: Any, run: Any, control: Any, *, resume: bool = False) -> Generator[Event, None, None]:
        try:
            run.path.mkdir(parents=True)
            yield State("preparing")
            raise ValueError("x")
        finally:
            closed.set()

    session = Session(engine)
    session.start(None, FakeRun(tmp_path / "run"))
    assert session.join(5.0)
    assert closed.is_set()


def test_what_is_stopped_before_its_first_step_leaves_the_desk_free(tmp_path: Path) -> None:
    def engine(config: Any, run: Any, control: Any, *, resume: bool = False) -> Generator[Event, None, None]:
        yield State("preparing")
        while not control.stop:
            time.sleep(0.001)
        yield Notice("stopped before the first step: there is nothing to save")

    session = Session(engine)
    begin(session, tmp_path)
    wait_until(lambda: session.snapshot().run == "run")
    session.stop()
    assert session.join(5.0)
    snapshot = session.snapshot()
    assert (snapshot.state, snapshot.run_path, snapshot.can_start) == ("idle", None, True)
    assert "before the first step" in snapshot.log[-1].text


def test_a_run_that_was_to_go_on_can_still_go_on_after_a_stop_before_its_first_step(tmp_path: Path) -> None:
    def engine(config: Any, run: Any, control: Any, *, resume: bool = False) -> Generator[Event, None, None]:
        yield State("preparing")
        while not control.stop:
            time.sleep(0.001)

    (tmp_path / "run" / "checkpoints" / "step-00000007").mkdir(parents=True)
    session = Session(engine)
    begin(session, tmp_path, resume=True)
    wait_until(lambda: session.snapshot().run == "run")
    session.stop()
    assert session.join(5.0)
    snapshot = session.snapshot()
    assert (snapshot.state, snapshot.run_path, snapshot.step) == ("done", tmp_path / "run", 7)
    assert snapshot.saved is not None
    assert (snapshot.saved.step, snapshot.finished and snapshot.finished.reason) == (7, "user")


def test_no_model_without_a_training(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        Session(FakeEngine()).live_model()


def test_asking_a_training_that_does_not_answer(tmp_path: Path) -> None:
    session = Session(FakeEngine(steps=10**6, seconds_per_step=0.001))
    begin(session, tmp_path)
    with pytest.raises(RunError, match="does not answer"):
        session.live_model(timeout=0.1)
    session.stop()
    session.join(5.0)


# -- history ----------------------------------------------------------------------------------------------------


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def running(clock: Clock) -> History:
    history = History(clock)
    history.take(Started("r", "/x/r", "teacher", 0, "cpu", 2, "fp32", 10, 10, 100, None))
    history.take(State("training"))
    return history


def test_elapsed_and_eta_go_on_between_events_but_not_in_a_pause() -> None:
    clock = Clock()
    history = running(clock)
    clock.now += 2.0
    assert history.elapsed() == pytest.approx(2.0)
    history.take(Step(10, 1.0, 1e-3, 1.0, 100.0, 5.0, 45.0))
    clock.now += 3.0
    assert (history.elapsed(), history.eta()) == (pytest.approx(8.0), pytest.approx(42.0))
    history.take(State("paused", 10))
    clock.now += 1000.0
    assert (history.elapsed(), history.eta()) == (pytest.approx(8.0), pytest.approx(42.0))
    history.take(State("training", 10))
    clock.now += 1.0
    assert history.elapsed() == pytest.approx(9.0)
    history.take(Finished("max_steps", 100, 60.0))
    clock.now += 1000.0
    assert (history.elapsed(), history.eta()) == (60.0, None)


def test_age_of_the_checkpoint() -> None:
    clock = Clock()
    history = running(clock)
    history.take(Saved(10, "/x/best", "best"))
    assert history.snapshot().saved_age is None, "only one to go on from counts"
    history.take(Saved(10, "/x/step-10", "last"))
    clock.now += 7.0
    assert history.snapshot().saved_age == pytest.approx(7.0)


def test_a_run_that_goes_on_has_the_checkpoint_it_goes_on_from(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "checkpoints" / "step-00000010"
    folder.mkdir(parents=True)
    os.utime(folder, (time.time() - 100.0, time.time() - 100.0))
    run = FakeRun(tmp_path / "run", [Step(10, 1.0, 1e-3, 1.0, 100.0, 5.0, None, progress=1.0)])
    session = Session(FakeEngine(steps=10**6, seconds_per_step=0.001, log_interval=10**6, resumed_step=10))
    session.start(None, run, resume=True)
    wait_until(lambda: session.snapshot().state == "running")
    snapshot = session.snapshot()
    assert snapshot.saved is not None
    assert snapshot.saved.step == 10
    assert snapshot.saved_age == pytest.approx(100.0, abs=60.0)
    assert snapshot.progress == pytest.approx(1e-5), "the larger budget counts, not the one that was used up"
    session.stop(discard=True)
    assert session.join(5.0)


def test_between_two_log_lines_the_step_is_the_one_the_loop_counts() -> None:
    history = running(Clock())
    assert (history.snapshot(step=7).step, history.snapshot(step=7).progress) == (7, pytest.approx(0.07))
    history.take(State("paused", 9))
    assert history.snapshot(step=7).step == 9
    history.take(State("training", 9))
    history.take(RolledBack(20, 5, 0.5))
    assert history.snapshot(step=5).step == 5


def test_a_rollback_takes_points_back() -> None:
    history = running(Clock())
    for n in range(1, 21):
        history.take(Step(n, 1.0, 1e-3, 1.0, 100.0, float(n), None))
    before = history.snapshot()
    history.take(RolledBack(20, 10, 0.5))
    assert [s.step for s in history.snapshot().steps] == list(range(1, 11))
    assert len(before.steps) == 20, "a snapshot never changes"


def test_a_rollback_before_a_resume_takes_points_back(tmp_path: Path) -> None:
    steps = [Step(n, 1.0, 1e-3, 1.0, 100.0, float(n), None) for n in (1, 2, 3, 4, 3, 4, 5)]
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    session = Session(FakeEngine())
    session._recall(FakeRun(tmp_path / "run", [*steps[:4], RolledBack(4, 2, 0.5), *steps[4:]]), 4)  # type: ignore[arg-type]
    assert [step.step for step in session.snapshot().steps] == [1, 2, 3, 4]


def test_a_snapshot_is_cheap_while_nothing_happens() -> None:
    history = running(Clock())
    for n in range(100):
        history.take(Step(n, 1.0, 1e-3, 1.0, 100.0, float(n), None))
    one, two = history.snapshot(), history.snapshot()
    assert one.version == two.version
    assert one.steps is two.steps
    assert one.log is two.log


def test_very_long_runs_are_thinned_not_forgotten() -> None:
    history = running(Clock())
    for n in range(MAX_POINTS + 10):
        history.steps.append(Step(n, 1.0, 1e-3, 1.0, 100.0, float(n), None))
    history.take(Step(10**6, 1.0, 1e-3, 1.0, 100.0, 1.0, None))
    steps = [s.step for s in history.snapshot().steps]
    assert len(steps) < MAX_POINTS
    assert (steps[0], steps[-1]) == (0, 10**6)


def test_a_nan_is_no_best_loss() -> None:
    history = running(Clock())
    history.take(Eval(10, math.nan, math.inf, 0, False))
    assert history.snapshot().best_loss is None


def test_the_log_is_safe_to_show() -> None:
    history = running(Clock())
    history.take(Probe(1, "q\x1b]52;c;x\x07", "a\u202e[/red]\x9b2J", None, False))
    text = history.snapshot().log[-1].text
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or char == "\u202e" for char in text)


def test_what_is_possible_follows_from_the_state() -> None:
    def can(**values: Any) -> tuple[bool, ...]:
        s = Snapshot(**values)
        return s.can_start, s.can_pause, s.can_resume, s.can_stop, s.can_save

    assert can(state="idle") == (True, False, False, False, False)
    assert can(state="starting") == (False, False, False, True, False)
    assert can(state="running") == (False, True, False, True, True)
    assert can(state="running", pausing=True) == (False, False, True, True, True)
    assert can(state="running", stopping=True) == (False, False, False, False, False)
    assert can(state="paused") == (False, False, True, True, True)
    assert can(state="failed") == (True, False, False, False, False)
    assert can(state="running", live=False) == (False, False, False, False, False)


def test_after_the_last_checkpoint_comes_the_final_check() -> None:
    history = running(Clock())
    history.take(State("training", 100))
    assert history.state == "running", "the checkpoint is still to come"
    history.take(State("saving", 100))
    history.take(Saved(100, "/x/step-100", "last"))
    history.take(State("training", 100))
    assert history.state == "verifying"
    assert not history.snapshot().can_stop


def test_a_changed_budget_is_shown() -> None:
    history = running(Clock())
    history.take(Changed(5, {"training.max_steps": 400, "training.lr": 1e-4}))
    assert history.snapshot().total_steps == 400
    history.take(Changed(6, {"training.max_minutes": 2.5, "training.max_steps": None}))
    assert (history.snapshot().total_steps, history.snapshot().max_minutes) == (None, 2.5)


# -- leaving ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("learnt", [False, True])
def test_a_new_run_whose_preparation_outlasts_the_app_is_taken_away(tmp_path: Path, learnt: bool) -> None:
    over = threading.Event()

    def engine(config: Any, run: Any, control: Any, *, resume: bool = False) -> Generator[Event, None, None]:
        yield State("preparing")
        over.wait(20.0)

    run = Run(tmp_path / "run")
    run.path.mkdir()
    run.save_config(load_config("teacher"))
    lock = run.lock
    lock.acquire()
    if learnt:
        (run.checkpoints / "step-00000003").mkdir(parents=True)
    session = Session(engine)
    session.start(load_config("teacher"), run, resume=learnt)
    wait_until(lambda: session.snapshot().run == "run")
    leaving._remove_what_never_began(session)
    assert run.path.exists() is learnt
    over.set()
    session.join(5.0)
    lock.release()
