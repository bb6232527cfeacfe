"""The hand at the wheel: stop, pause, save now, new values of settings."""

from __future__ import annotations

from typing import Any

import pytest

from core.config import Config
from core.control import Control
from core.events import (
    Changed,
    Event,
    Finished,
    Notice,
    Saved,
    Started,
    State,
    Step,
)  # fmt: skip
from core.train import train

from .tricks import at_step, full_disk

Lab = Any


def test_stop_saves_and_can_be_resumed(lab: Lab) -> None:
    control = Control()
    stop = at_step(5, lambda: control.request_stop("SIGINT"))
    events = lab.train({"training.max_steps": 50}, control=control, on=stop)
    assert isinstance(events[-1], Finished)
    assert (events[-1].reason, events[-1].steps) == ("SIGINT", 5)
    assert [(saved.step, saved.tag) for saved in lab.of(Saved, events)] == [(5, "last")]
    assert lab.run().report() is None  # not finished: nothing to hand in
    assert lab.run().state() == "stopped"
    assert lab.run().load().step == 5


def test_stop_at_the_first_step(lab: Lab) -> None:
    control = Control()
    events = lab.train(
        control=control, on=lambda event: control.request_stop("SIGTERM") if isinstance(event, Started) else None
    )
    assert (events[-1].reason, events[-1].steps) == ("SIGTERM", 0)
    assert not lab.of(Step, events)


@pytest.mark.parametrize("when", [State("preparing"), State("tokenizing")])
def test_a_new_run_stopped_before_that_leaves_nothing(lab: Lab, when: State) -> None:
    control = Control()
    events = lab.train(control=control, on=lambda event: control.request_stop() if event == when else None)
    assert events[-2:] == [when, Notice("stopped before the first step: there is nothing to save")]
    assert not lab.run().path.exists()
    assert lab.of(Step, lab.train({"training.max_steps": 1})), "its name is free"


def test_a_run_that_goes_on_stays_when_it_is_stopped_before_its_first_step(lab: Lab) -> None:
    lab.train({"training.max_steps": 2})
    before = lab.run().metrics.read_bytes()
    control = Control()
    control.request_stop()
    events = list(train(None, lab.run(), control, resume=True))
    assert not lab.of(Started, events)
    assert lab.run().load().step == 2
    assert lab.run().metrics.read_bytes() == before, "it has ended, as it had before"


def test_the_time_left_begins_anew_with_another_budget(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    restarted: list[int] = []
    monkeypatch.setattr("core.training.pace.Pace.restart", lambda pace: restarted.append(1))
    control = Control()
    lab.train({"training.max_steps": 4}, control=control, on=at_step(2, lambda: control.update("training.lr", 1e-4)))
    assert not restarted
    control = Control()
    more = at_step(2, lambda: control.update("training.max_steps", 5))
    lab.train({"training.max_steps": 4}, "more", control, on=more)
    assert restarted


def test_discard_leaves_without_saving(lab: Lab) -> None:
    control = Control()
    changes = {"training.max_steps": 50, "training.save_interval": 3}
    events = lab.train(changes, control=control, on=at_step(5, lambda: control.request_stop("user", discard=True)))
    assert (events[-1].reason, events[-1].steps) == ("user", 5)
    assert [saved.step for saved in lab.of(Saved, events)] == [3]
    assert lab.run().report() is None


def test_a_pause_is_not_counted(lab: Lab, clock: Any) -> None:
    control = Control()
    seen: list[str] = []

    def on(event: Event) -> None:
        if isinstance(event, Step) and event.step == 3:
            control.pause()
        if isinstance(event, State):
            seen.append(event.state)
            if event.state == "paused":
                clock.now += 3600.0
                control.resume()

    events = lab.train({"training.max_steps": 6}, control=control, on=on)
    assert seen[seen.index("paused") + 1] == "training"
    assert lab.of(Step, events)[-1].elapsed < 60.0
    assert events[-1].train_seconds < 60.0
    assert events[-1].total_seconds > 3600.0


def test_a_paused_training_waits_saves_and_stops(lab: Lab) -> None:
    control = Control()
    events: list[Event] = []
    for event in lab.start({"training.max_steps": 50}, control=control):
        events.append(event)
        if isinstance(event, Step) and event.step == 2:
            control.pause()
        if isinstance(event, State) and event.state == "paused":
            control.save_now = True
        if isinstance(event, Saved) and control.paused:
            control.request_stop()
    assert [step.step for step in lab.of(Step, events)] == [1, 2]
    assert [saved.step for saved in lab.of(Saved, events)] == [2]
    assert events[-1].reason == "user"


def test_pausing_changes_no_figure(lab: Lab) -> None:
    lab.train(name="straight")
    control = Control()

    def on(event: Event) -> None:
        if isinstance(event, Step) and event.step in (2, 5):
            control.pause()
        if isinstance(event, State) and event.state == "paused":
            control.resume()

    lab.train(name="paused", control=control, on=on)
    assert lab.trace("paused") == lab.trace("straight")


def test_save_now(lab: Lab) -> None:
    control = Control()

    def save() -> None:
        control.save_now = True

    events = lab.train({"training.max_steps": 6}, control=control, on=at_step(2, save))
    assert [saved.step for saved in lab.of(Saved, events) if saved.tag == "last"] == [2, 6]
    assert control.save_now is False


def test_live_settings_change_from_the_next_step_on(lab: Lab) -> None:
    control = Control()

    def change() -> None:
        control.update("training.lr", 1e-4)
        control.update("training.max_steps", 6)

    changes = {"training.max_steps": 50, "training.warmup_ratio": 0.0, "training.min_lr": 1e-5}
    events = lab.train(changes, control=control, on=at_step(3, change))
    assert [(e.step, e.values) for e in lab.of(Changed, events)] == [
        (3, {"training.lr": 1e-4}),
        (3, {"training.max_steps": 6}),
    ]
    rates = {step.step: step.lr for step in lab.of(Step, events)}
    assert rates[3] > 1e-3
    assert rates[4] < 1e-4
    assert (events[-1].reason, events[-1].steps) == ("max_steps", 6)
    assert lab.run().config().training.lr == 1e-4
    assert lab.run().load().config.training.max_steps == 6
    assert events == list(lab.run().read_metrics())


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("training.batch_size", 8, "training.batch_size: cannot change during a run"),
        ("model.n_layer", 3, "model.n_layer: cannot change during a run"),
        ("training.learning", 1, "training.learning: cannot change during a run"),
        ("training.lr", -1.0, "training.lr"),
        ("training.lr", "fast", "training.lr"),
        ("training.min_lr", 0.5, "min_lr (0.5) must not be above lr"),
        ("training.max_steps", None, "one of max_steps, max_epochs, max_minutes"),
    ],
)
def test_what_cannot_change_is_told_and_changes_nothing(lab: Lab, key: str, value: Any, words: str) -> None:
    control = Control()
    before: list[Config] = []

    def change() -> None:
        before.append(lab.run().config())
        control.update(key, value)

    events = lab.train({"training.max_steps": 4}, control=control, on=at_step(2, change))
    (notice,) = [notice for notice in lab.of(Notice, events) if notice.level == "warning"]
    assert words in notice.text
    assert not lab.of(Changed, events)
    assert lab.run().config() == before[0]
    assert events[-1].steps == 4


def test_a_full_disk_does_not_end_a_training_that_is_being_changed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    control = Control()

    def change() -> None:
        monkeypatch.setattr("core.runs.write_text", full_disk)
        control.update("training.lr", 1e-4)

    events = lab.train({"training.max_steps": 4}, control=control, on=at_step(2, change))
    assert any("No space left on device" in notice.text for notice in lab.of(Notice, events))
    assert lab.of(Step, events)[-1].lr < 1e-4
    assert events[-1].steps == 4


def test_the_step_can_be_read_between_two_log_lines(lab: Lab) -> None:
    control, seen = Control(), []

    def on(event: Event) -> None:
        if isinstance(event, Saved):
            seen.append((event.step, control.step))

    lab.train(
        {"training.max_steps": 6, "training.log_interval": 100, "training.save_interval": 2}, control=control, on=on
    )
    assert seen[:2] == [(2, 1), (4, 3)], "a step is counted when it is over, checkpoint and all"
