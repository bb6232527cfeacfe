"""No room on the disk: the training pauses and says why, loses nothing, and goes on or stops as asked."""

from __future__ import annotations

import builtins
import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core import checkpoint, lock, storage, weights_file
from core.control import Control
from core.errors import RunError
from core.events import Event, Finished, Notice, Saved, State, Step
from core.training import disk as disk_module

from ..patched_os import patch_os

Lab = Any
CHANGES: dict[str, Any] = {
    "training.max_steps": 6,
    "training.save_interval": 2,
    "training.eval_interval": 3,
    "training.keep_checkpoints": 1,
    "training.int8": True,
    "data.verify_rows": 3,
}


class FullDisk:
    """Lets what is done to the disk fail for want of room, where ``when`` says so of (what, path)."""

    def __init__(self, patch: pytest.MonkeyPatch, when: Callable[[str, str], bool]) -> None:
        self.when = when
        for name in ("mkdir", "rename", "replace", "fsync"):
            patch_os(patch, name, self.watched(name, getattr(os, name)))
        for module in (checkpoint, lock, storage, weights_file):
            patch.setattr(module, "open", self.open, raising=False)

    def touch(self, what: str, path: object) -> None:
        if self.when(what, str(path)):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

    def watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(first: Any, *rest: Any, **more: Any) -> Any:
            self.touch(name, os.readlink(f"/proc/self/fd/{first}") if name == "fsync" else first)
            return real(first, *rest, **more)

        return call

    def open(self, path: Any, mode: str = "r", **more: Any) -> Any:
        name = os.readlink(f"/proc/self/fd/{path}") if isinstance(path, int) else path
        if set(mode) & set("wa"):
            self.touch("open", name)
        file = builtins.open(path, mode, **more)  # noqa: SIM115
        return Watched(file, self, name) if set(mode) & set("wa") and "b" in mode else file


class Watched:
    """A file of which, when the disk is full, only half of a piece gets written."""

    def __init__(self, file: Any, disk: FullDisk, path: object) -> None:
        self.file, self.disk, self.path = file, disk, path

    def write(self, data: Any) -> int:
        try:
            self.disk.touch("write", self.path)
        except OSError:
            if "a" not in self.file.mode:
                self.file.write(bytes(data)[: len(data) // 2])
            raise
        return int(self.file.write(data))

    def writelines(self, lines: list[bytes]) -> None:
        for line in lines:
            self.write(line)

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


def full_from_event(patch: pytest.MonkeyPatch, what: str, path: str) -> list[bool]:
    """A disk on which this fails as long as the one element of the list is True."""
    full = [False]
    FullDisk(patch, lambda done, where: full[0] and done == what and path in where)
    return full


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits in a test; what is tried again is so because a test asks for it."""
    monkeypatch.setattr(disk_module, "TRY_AGAIN", 0.0)
    monkeypatch.setattr(disk_module, "LOOK", 0.001)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux")
def test_every_write_of_a_training_may_find_the_disk_full_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vocabulary, record, each file and each rename of each checkpoint, the report: all wait, none is lost."""
    lab.ready(CHANGES, "straight")
    seen: set[tuple[str, str]] = set()
    ready = [False]

    def first_time(what: str, path: str) -> bool:
        point = (what, re.sub(r"\d+", "#", path.rpartition("/run/")[2]))
        new = ready[0] and point not in seen
        seen.add(point) if new else None
        return new

    waits: list[str] = []
    whole: list[bool] = []

    def on(event: Event) -> None:
        ready[0] = ready[0] or event.kind == "state"
        if isinstance(event, Notice) and "cannot be written" in event.template:
            assert event.values["reason"] == "No space left on device"
            waits.append(event.values["name"])
        if isinstance(event, Saved) and event.tag == "last":
            whole.append(True)
        elif isinstance(event, State) and event.state == "paused" and whole:
            checkpoint.newest(lab.run().checkpoints)  # raises where none is whole

    with monkeypatch.context() as patch:
        FullDisk(patch, first_time)
        events = lab.train(CHANGES, on=on)
    files = {Path(path).name for _, path in seen}
    assert {"model.safetensors", "optimizer.safetensors", "state.json", "metrics.jsonl"} <= files
    assert {name.partition(".#")[0] for name in files} >= {".manifest.json", ".tokenizer.json", ".report.json"}
    assert {what for what, _ in seen} == {"open", "write", "mkdir", "rename", "replace", "fsync"}
    assert {"tokenizer.json", "report.json", "checkpoints/int8", "checkpoints/best"} < set(waits)
    assert len(seen) > 40, sorted(seen)
    assert len([event for event in lab.of(State, events) if event.state == "paused"]) == len(waits)
    assert events[-1].reason == "max_steps"
    assert lab.trace() == lab.trace("straight")
    assert list(lab.run().read_metrics()) == events  # not a line is missing
    assert lab.run().report()["int8"]
    assert not list(lab.run().path.rglob(".*"))


def test_the_record_waits_and_loses_no_line(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    full = full_from_event(monkeypatch, "write", "metrics.jsonl")
    paused: list[int] = []

    def on(event: Event) -> None:
        full[0] = full[0] or (isinstance(event, Step) and event.step == 3 and not paused)
        if isinstance(event, State) and event.state == "paused":
            assert lab.of(Step, lab.run().read_metrics())[-1].step == 3
            paused.append(event.step)
            full[0] = False

    events = lab.train({**CHANGES, "training.eval_interval": 100}, on=on)
    assert paused == [4]  # the first line that did not fit was that of the step before
    assert list(lab.run().read_metrics()) == events


def test_it_tries_again_by_itself(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headless nobody presses a key."""
    attempts = []

    def third_time(what: str, path: str) -> bool:
        into_place = what == "rename" and "step-00000004" in path and path.endswith(".tmp")  # not: out of sight
        if into_place:
            attempts.append(path)
        return into_place and len(attempts) < 3

    FullDisk(monkeypatch, third_time)
    events = lab.train(CHANGES)
    assert len(attempts) == 3
    texts = [notice.text for notice in lab.of(Notice, events)]
    assert texts[-2:] == [
        "checkpoints/step-00000004 cannot be written: No space left on device; the training waits, make room or "
        "stop it (it tries again every 0 s)",
        "checkpoints/step-00000004 is written, there is room again",
    ]  # one notice, however often it tried


def test_it_tries_again_when_there_is_room(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_module, "TRY_AGAIN", 1e9)
    free = iter(range(0, 10**9, disk_module.ROOM // 3))
    monkeypatch.setattr(disk_module.Disk, "_free", lambda self: next(free))
    full = full_from_event(monkeypatch, "write", "step-00000004")
    real = disk_module.Disk._wait

    def wait(disk: disk_module.Disk) -> None:
        real(disk)
        full[0] = False

    monkeypatch.setattr(disk_module.Disk, "_wait", wait)

    def on(event: Event) -> None:
        full[0] = full[0] or (isinstance(event, Step) and event.step == 4)

    events = lab.train(CHANGES, on=on)
    assert next(free) >= 4 * (disk_module.ROOM // 3)
    assert events[-1].reason == "max_steps"


@pytest.mark.parametrize("stop", [False, True])
def test_a_wait_is_not_training_time(lab: Lab, monkeypatch: pytest.MonkeyPatch, stop: bool) -> None:
    control = Control()
    full = full_from_event(monkeypatch, "write", "step-00000002")

    class Late:
        """A clock that jumps an hour while the training waits."""

        late = 0.0

        def perf_counter(self) -> float:
            return self.late

        monotonic = perf_counter

    clock = Late()
    monkeypatch.setattr("core.training.pace.time", clock)
    monkeypatch.setattr("core.training.disk.time", clock)

    def on(event: Event) -> None:
        full[0] = full[0] or (isinstance(event, Step) and event.step == 2)
        if isinstance(event, State) and event.state == "paused":
            clock.late += 3600.0
            full[0] = stop
            if stop:
                control.request_stop("SIGINT")

    events = lab.train(CHANGES, control=control, on=on)
    assert any("there is room again" in notice.text for notice in lab.of(Notice, events)) != stop
    assert events[-1].train_seconds == 0.0


@pytest.mark.parametrize("reason", ["SIGINT", "user"])
def test_a_stop_while_it_waits(lab: Lab, monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    """What cannot be saved is said; the checkpoint before is whole, and the run goes on from it."""
    lab.ready(CHANGES, "straight")
    control = Control()
    full = full_from_event(monkeypatch, "write", "step-00000004")

    def on(event: Event) -> None:
        full[0] = full[0] or (isinstance(event, Step) and event.step == 4)
        if isinstance(event, State) and event.state == "paused":
            control.request_stop(reason)

    events = lab.train(CHANGES, control=control, on=on)
    assert isinstance(events[-1], Finished)
    assert (events[-1].reason, events[-1].steps) == (reason, 4)
    assert lab.of(Notice, events)[-1].text == "stopped without room to save: the steps after 2 are lost"
    assert [path.name for path in lab.run().checkpoints.iterdir()] == ["best", "step-00000002"]
    full[0] = False
    lab.resume()
    assert lab.trace() == lab.trace("straight")


def test_a_pause_of_the_user_stays_one(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room that appears while someone has paused the training does not let it go on behind his back."""
    control = Control()
    full = full_from_event(monkeypatch, "write", "step-00000003")
    paused: list[bool] = []

    def on(event: Event) -> None:
        if isinstance(event, Step) and event.step == 3:
            full[0] = True
            control.pause()
        if isinstance(event, State) and event.state == "paused" and not paused:
            paused.append(True)
            control.save_now = True
        if isinstance(event, Notice) and "cannot be written" in event.text:
            full[0] = False
        if isinstance(event, Saved) and event.step == 3:
            assert control.paused
            control.resume()

    events = lab.train(
        {**CHANGES, "training.save_interval": 100, "training.eval_interval": 100}, control=control, on=on
    )
    assert events[-1].reason == "max_steps"


@pytest.mark.parametrize("reason", ["max_steps", "early_stopping"])
def test_the_last_checkpoint_waits_too(lab: Lab, monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    full = full_from_event(monkeypatch, "write", "step-00000006")

    def on(event: Event) -> None:
        full[0] = full[0] or (isinstance(event, Step) and event.step == 6)
        if isinstance(event, State) and event.state == "paused":
            full[0] = False

    changes = dict(CHANGES)
    if reason == "early_stopping":
        monkeypatch.setattr("core.training.validation.evaluate_loss", lambda *_: 1.0)
        changes |= {"training.max_steps": 50, "training.early_stopping_patience": 1}
    assert lab.train(changes, on=on)[-1].reason == reason
    assert lab.run().load().step == 6


@pytest.mark.parametrize("what", ["config.yaml", "/lock", "metrics.jsonl"])
def test_without_room_at_the_very_beginning_nothing_begins(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    FullDisk(monkeypatch, lambda done, path: done == "open" and what in path)
    with pytest.raises((RunError, OSError), match="No space left on device"):
        lab.train(CHANGES)
    assert lab.run().state() != "running"


def test_another_fault_of_the_disk_is_told_at_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting would not help against a folder that is not writable."""
    save = checkpoint.save

    def refuse(folder: Path, *rest: Any) -> int:
        if folder.name == "step-00000002":
            raise OSError(errno.EACCES, "Permission denied")
        return save(folder, *rest)

    monkeypatch.setattr(checkpoint, "save", refuse)
    events = lab.train(CHANGES)
    assert not [event for event in lab.of(State, events) if event.state == "paused"]
    assert "checkpoint at step 2 not written: Permission denied; the one before is kept" in [
        notice.text for notice in lab.of(Notice, events)
    ]
