"""A run's events in its file, one line each, as they happen."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from core.events import Eval, Event, Finished, Notice, Saved, State, Step
from core.recorder import Recorder
from core.runs import Run
from core.storage import LineFile


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
def test_what_a_full_disk_does_not_take_waits(run: Run) -> None:
    with Recorder(run) as recorder:
        recorder.write(step(1))
        real = recorder._lines._file
        with open("/dev/full", "ab", buffering=0) as recorder._lines._file:
            recorder.write(step(2))
            recorder.write(step(3))
        assert recorder.problem is not None
        assert recorder.problem.errno == errno.ENOSPC
        recorder._lines._file = real
        assert kinds(run) == [("step", 1)]
        recorder.write_waiting()
        assert recorder.problem is None
        assert kinds(run) == [("step", 1), ("step", 2), ("step", 3)]


def test_half_a_line_that_got_written_is_completed(run: Run) -> None:
    """A disk may take the first bytes of a line and no more."""

    class Narrow:
        room = 10

        def write(self, data: bytes) -> int:
            if not self.room:
                raise OSError(errno.ENOSPC, "No space left on device")
            taken, self.room = data[: self.room], 0
            return int(real.write(taken))

    with Recorder(run) as recorder:
        real = recorder._lines._file
        recorder._lines._file = Narrow()  # type: ignore[assignment]
        recorder.write(step(1))
        assert run.metrics.stat().st_size == 10
        recorder._lines._file = real
    assert kinds(run) == [("step", 1)]


def test_memory_for_what_waits_is_bounded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LineFile, "MOST_WAITING", 1000)
    with Recorder(run) as recorder:
        real = recorder._lines._file
        with open("/dev/full", "ab", buffering=0) as recorder._lines._file:
            for number in range(100):
                recorder.write(step(number))
        recorder._lines._file = real
    assert 1 < len(kinds(run)) < 10


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_what_is_no_file_is_not_written_to(run: Run, kind: str) -> None:
    """A run may come from a stranger: its record may lead out of it, or wait for ever."""
    outside = run.path.parent / "outside"
    outside.write_text("mine")
    {"link": run.metrics.symlink_to, "fifo": lambda _: os.mkfifo(run.metrics), "folder": lambda _: run.metrics.mkdir()}[
        kind
    ](outside)
    with pytest.raises(OSError, match=r"metrics\.jsonl"):
        Recorder(run)
    assert outside.read_text() == "mine"


def test_a_record_that_was_removed_begins_anew(run: Run) -> None:
    with Recorder(run) as recorder:
        recorder.write(step(1))
        run.metrics.unlink()
        recorder.write(step(2))
        assert kinds(run) == [("step", 2)]
        shutil.rmtree(run.path)
        recorder.write(step(3))
        run.path.mkdir()
        recorder.write(step(4))
    assert kinds(run) == [("step", 3), ("step", 4)]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc")
def test_a_record_is_closed_while_it_is_replaced(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows replaces no file that is open."""
    replace = os.replace

    def as_on_windows(source: Path, target: Path) -> None:
        if str(target) in [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]:
            raise PermissionError(errno.EACCES, "Permission denied", str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", as_on_windows)
    with Recorder(run) as recorder:
        for number in (1, 2, 3):
            recorder.write(step(number))
        recorder.forget_after(1)
        recorder.write(step(2))
    assert kinds(run) == [("step", 1), ("step", 2)]


def test_a_file_that_takes_a_few_bytes_at_a_time_gets_all_of_them(run: Run) -> None:
    class Narrow:
        def write(self, data: bytes) -> int:
            return int(real.write(data[:10]))

    with Recorder(run) as recorder:
        real = recorder._lines._file
        recorder._lines._file = Narrow()  # type: ignore[assignment]
        recorder.write(step(1))
        assert kinds(run) == [("step", 1)]
        recorder._lines._file = real
