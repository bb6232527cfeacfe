"""Following a run through its file: growth, half lines, resumes, damage, and what becomes of its process."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

import gpt_tui.screen
from core.config import load_config, to_yaml
from core.errors import RunError
from core.events import (
    KINDS,
    Changed,
    Eval,
    Event,
    Finished,
    Notice,
    Probe,
    Saved,
    Started,
    State,
    Step,
    Verified,
)  # fmt: skip
from core.lock import FolderLock
from gpt_tui.cli import main
from gpt_tui.commands.watch import follow, run
from gpt_tui.console import Console, lines
from gpt_tui.watch import CHECKS, MAX_LINE, Tail, WatchSource, find_path, parse_line


def started(step: int = 0, at: float = 1.0, name: str = "r") -> Started:
    return Started(name, f"runs/{name}", "teacher", step, "cpu", 2, "fp32", 1000, 300, 40, None, {}, at)


def step(number: int, loss: float = 1.0, elapsed: float | None = None) -> Step:
    return Step(number, loss, 1e-3, 1.0, 900.0, float(number) if elapsed is None else elapsed, 5.0, 0.1, 10, 0.5)


def line(event: Event) -> bytes:
    return json.dumps(event.to_json(), ensure_ascii=False).encode() + b"\n"


def write(path: Path, *events: Event, mode: str = "ab") -> None:
    with open(path, mode) as file:
        file.writelines(map(line, events))


def make_run(folder: Path, name: str = "r") -> Path:
    path = folder / name
    path.mkdir(parents=True)
    (path / "config.yaml").write_text(to_yaml(load_config("teacher").to_dict()), encoding="utf-8")
    return path


def steps_of(events: list[Event]) -> list[int]:
    return [event.step for event in events if isinstance(event, Step)]


# -- the tail ---------------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_yet_and_then_grows(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    tail = Tail(path)
    assert tail.poll().events == []
    write(path, started(), step(1))
    assert steps_of(tail.poll().events) == [1]
    assert tail.poll().events == []
    write(path, step(2), step(3))
    assert steps_of(tail.poll().events) == [2, 3]


def test_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    tail = Tail(path)
    whole = line(Probe(1, "水？", "水", "水", True))
    path.write_bytes(line(step(1)) + whole[:20])  # ends inside a Chinese character, too
    assert steps_of(tail.poll().events) == [1]
    assert tail.poll().events == []
    with open(path, "ab") as file:
        file.write(whole[20:])
    assert tail.poll().events == [Probe(1, "水？", "水", "水", True)]


def test_a_resume_tells_only_what_is_new(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    tail = Tail(path)
    write(path, State("preparing"), started(), *map(step, range(1, 31)))
    assert steps_of(tail.poll().events) == list(range(1, 31))
    # as core.recorder does it: later events dropped, the file replaced, then written on
    other = tmp_path / "new"
    write(other, State("preparing"), started(), *map(step, range(1, 21)), State("preparing"), started(20, at=2.0))
    other.replace(path)
    assert tail.poll().events == [started(20, at=2.0)]
    write(path, step(21))
    assert steps_of(tail.poll().events) == [21]


def test_a_replaced_file_is_noticed_even_when_it_has_grown_beyond_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    tail = Tail(path)
    write(path, started(), step(1), step(2))
    tail.poll()
    write(path, started(), step(1), started(1, at=2.0), *map(step, range(2, 40)), mode="wb")
    assert steps_of(tail.poll().events) == list(range(2, 40))


def test_a_file_that_was_emptied_and_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    tail = Tail(path)
    write(path, started(), step(1))
    tail.poll()
    path.write_bytes(b"")
    assert tail.poll().events == []
    write(path, started(at=3.0), step(1))
    assert steps_of(tail.poll().events) == [1]


def test_a_long_file_comes_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpt_tui.watch.CHUNK", 1000)
    path = tmp_path / "metrics.jsonl"
    write(path, *map(step, range(100)))
    tail, found, polls = Tail(path), [], 0
    while True:
        batch = tail.poll()
        found += batch.events
        polls += 1
        if not batch.more:
            break
    assert steps_of(found) == list(range(100))
    assert polls > 10


def test_a_line_without_end_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(line(step(1)) + b"x" * (3 * MAX_LINE) + b"\n" + line(step(2)))
    tail, found = Tail(path), []
    for _ in range(10):
        found += tail.poll().events
    assert steps_of(found) == [1, 2]


@pytest.mark.parametrize(
    "damaged",
    [
        b"{", b"\xff\xfe", b"[1]", b"3", b"[" * 100_000, b'{"kind":"step"}', b'{"kind":"unknown"}',
        b'{"kind":"state","state":3}', b'{"kind":"state","state":"training","step":true}',
        b'{"kind":"eval","step":1,"loss":1e999}', b'{"kind":"eval","step":"1","loss":1.0}',
        b'{"kind":"probe","step":1,"prompt":[],"answer":"a","expected":null,"exact":true}',
        b'{"kind":"notice","template":"{missing}","values":{"x":1}}',
        b'{"kind":"notice","template":"{x:999999999}","values":{"x":1}}',
        b'{"kind":"notice","template":"{x.__class__}","values":{"x":1}}',
        b'{"kind":"notice","template":"{","values":{"x":1}}',
        b'{"kind":"verified","step":1,"parts":{"valid":3}}', b'{"kind":"verified","step":1,"parts":{"valid":{}}}',
        b'{"kind":"changed","step":1,"values":[1]}',
        json.dumps({**started().to_json(), "data": {"train": {"rows": 1}}}).encode(),
        json.dumps({**step(1).to_json(), "step": 10**30}).encode(),
    ],
    ids=lambda line: line[:60].decode("ascii", "replace"),
)  # fmt: skip
def test_damaged_lines_are_no_events(damaged: bytes) -> None:
    assert parse_line(damaged) is None


@pytest.mark.parametrize("template", ["{", "100 % {done}"])
def test_a_notice_without_values_is_text(template: str) -> None:
    event = parse_line(json.dumps({"kind": "notice", "template": template}).encode())
    assert isinstance(event, Notice)
    assert list(lines(event)) == [f"note: {template}"]


def test_events_survive_the_way_through_the_file() -> None:
    part = {"exact": 1, "total": 2, "exact_rate": 0.5, "ci95": [0.1, 0.9], "majority_rate": 0.5}
    for event in (
        started(), step(3), State("paused", 3), Notice("{a} rows", {"a": 3}), Eval(3, 1.0, 0.5, 2, False),
        Probe(3, "q", "a", None, False), Saved(3, "p", "best", 9), Changed(3, {"training.lr": 0.1}),
        Verified(3, {"valid": part}), Finished("user", 3, 1.0, 2.0, None, None, 0),
    ):  # fmt: skip
        assert parse_line(line(event)) == event


def test_a_number_that_is_not_finite_stays_a_gap() -> None:
    event = parse_line(line(step(1, loss=float("nan"))))
    assert isinstance(event, Step)
    assert event.loss != event.loss


def test_every_kind_of_value_that_events_declare_can_be_checked() -> None:
    declared = {str(field.type) for cls in KINDS.values() for field in dataclasses.fields(cls)}
    assert declared <= set(CHECKS)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(RunError, match="is a folder"):
        Tail(tmp_path / "metrics.jsonl").poll()


def test_watching_needs_no_torch() -> None:
    code = "import sys, gpt_tui.watch, gpt_tui.commands.watch; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


# -- the snapshot -----------------------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def read_all(source: WatchSource) -> None:
    while source.poll():
        pass


def test_a_finished_run(tmp_path: Path) -> None:
    path = make_run(tmp_path)
    write(
        path / "metrics.jsonl", State("preparing"), started(), State("training"), step(1), step(2),
        Eval(2, 0.9, 0.9, 2, True), Probe(2, "q", "a", "a", True), State("done", 2),
        Finished("max_steps", 2, 2.0, 3.0, 1.0, 0.9, 2),
    )  # fmt: skip
    source = WatchSource(path)
    read_all(source)
    snapshot = source.snapshot()
    assert (snapshot.state, snapshot.live, snapshot.run, snapshot.run_path) == ("done", False, "r", path)
    assert [s.step for s in snapshot.steps] == [1, 2]
    assert snapshot.best_loss == 0.9
    assert snapshot.probes[0].exact
    assert snapshot.elapsed == 2.0
    assert not any((snapshot.can_start, snapshot.can_pause, snapshot.can_stop, snapshot.can_save))
    version = snapshot.version
    read_all(source)
    assert source.snapshot().version == version


def test_a_run_that_is_being_trained_goes_on_by_the_clock(tmp_path: Path) -> None:
    path, clock = make_run(tmp_path), Clock()
    write(path / "metrics.jsonl", State("preparing"), started(), State("training"), step(1, elapsed=10.0))
    lock = FolderLock(path / "lock")
    lock.acquire()
    try:
        source = WatchSource(path, clock)
        read_all(source)
        assert source.snapshot().state == "running"
        clock.now += 4.0
        read_all(source)
        assert source.snapshot().elapsed == pytest.approx(14.0)
        assert source.snapshot().eta == pytest.approx(1.0)
        write(path / "metrics.jsonl", step(2, elapsed=15.0))
        read_all(source)
        assert source.snapshot().elapsed == pytest.approx(15.0)
        write(path / "metrics.jsonl", State("paused", 2))
        read_all(source)
        clock.now += 60.0
        read_all(source)
        assert source.snapshot().state == "paused"
        assert source.snapshot().elapsed == pytest.approx(15.0)
    finally:
        lock.release()


def test_a_killed_process_is_noticed_and_a_resume_too(tmp_path: Path) -> None:
    path, clock = make_run(tmp_path), Clock()
    metrics = path / "metrics.jsonl"
    write(metrics, State("preparing"), started(), State("training"), *map(step, range(1, 6)))
    lock = FolderLock(path / "lock")
    lock.acquire()
    source = WatchSource(path, clock)
    read_all(source)
    lock.release()  # as the system does when the process is killed
    read_all(source)
    assert source.snapshot().state == "running"  # nothing has come for a moment only
    clock.now += WatchSource.QUIET_SECONDS
    read_all(source)
    failed = source.snapshot()
    assert failed.state == "failed"
    assert failed.failure is not None
    assert "ended before" in failed.failure.cause
    assert "--resume r" in failed.failure.advice
    lock.acquire()
    try:
        write(metrics, State("preparing"), started(), *map(step, range(1, 4)), State("preparing"),
              started(3, at=2.0), State("training", 3), step(4, 0.5), mode="wb")  # fmt: skip
        read_all(source)
        again = source.snapshot()
        assert (again.state, again.failure) == ("running", None)
        assert [s.step for s in again.steps] == [1, 2, 3, 4]
        assert again.steps[-1].loss == 0.5
        assert again.version > failed.version
    finally:
        lock.release()


def test_another_run_under_the_same_name_replaces_the_first(tmp_path: Path) -> None:
    path = make_run(tmp_path)
    write(path / "metrics.jsonl", started(), step(1), step(2), Probe(2, "q", "a", None, False))
    source = WatchSource(path)
    read_all(source)
    write(path / "metrics.jsonl", started(at=9.0), step(1, 7.0), mode="wb")
    read_all(source)
    snapshot = source.snapshot()
    assert [(s.step, s.loss) for s in snapshot.steps] == [(1, 7.0)]
    assert snapshot.probes == ()


def test_a_run_with_nothing_in_it(tmp_path: Path) -> None:
    source = WatchSource(make_run(tmp_path))
    read_all(source)
    snapshot = source.snapshot()
    assert snapshot.state == "failed"
    assert snapshot.failure is not None
    assert "nothing has been recorded" in snapshot.failure.cause


def test_a_record_that_cannot_be_read_is_a_failure_not_a_crash(tmp_path: Path) -> None:
    path = make_run(tmp_path)
    (path / "metrics.jsonl").mkdir()
    source = WatchSource(path)
    read_all(source)
    read_all(source)
    snapshot = source.snapshot()
    assert snapshot.failure is not None
    assert "is a folder" in snapshot.failure.cause
    assert snapshot.log_count == 1


def test_the_age_of_a_checkpoint_is_that_of_its_folder(tmp_path: Path) -> None:
    path, clock = make_run(tmp_path), Clock()
    folder = path / "checkpoints" / "step-00000002"
    folder.mkdir(parents=True)
    write(path / "metrics.jsonl", started(), step(2), Saved(2, "/elsewhere/r/checkpoints/step-00000002", "last", 9))
    source = WatchSource(path, clock)
    read_all(source)
    age = source.snapshot().saved_age
    assert age is not None
    assert 0.0 <= age < 60.0


def test_the_thread_reads_along_and_ends(tmp_path: Path) -> None:
    path = make_run(tmp_path)
    write(path / "metrics.jsonl", started(), step(1))
    source = WatchSource(path)
    source.POLL_SECONDS = 0.01  # type: ignore[misc]
    source.start()
    try:
        write(path / "metrics.jsonl", step(2))
        deadline = time.monotonic() + 10.0
        while source.snapshot().step < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert source.snapshot().step == 2
    finally:
        source.close()
    assert source._thread is not None
    source._thread.join(10.0)
    assert not source._thread.is_alive()


# -- the command ------------------------------------------------------------------------------------------------------


def test_without_the_app_it_prints_what_a_training_prints(tmp_path: Path) -> None:
    path = make_run(tmp_path)
    events: list[Event] = [
        State("preparing"), started(), step(1), Eval(1, 0.9, 0.9, 1, True), Probe(1, "水？", "水", "水", True),
        Finished("max_steps", 1, 2.0, 3.0, 1.0, 0.9, 1),
    ]  # fmt: skip
    write(path / "metrics.jsonl", *events)
    out = io.StringIO()
    follow(path, Console(out))
    assert out.getvalue().splitlines() == [text for event in events for text in lines(event, 40)]


def test_control_characters_in_a_record_do_not_reach_the_terminal(tmp_path: Path) -> None:
    path = make_run(tmp_path)
    write(path / "metrics.jsonl", started(), Changed(1, {"a": "\x1b[2J\x9b1m"}), Notice("\x1b]52;c;\x07{b}", {"b": 1}))
    out = io.StringIO()
    follow(path, Console(out))
    assert "\x1b" not in out.getvalue()
    assert "\x9b" not in out.getvalue()
    assert "\\x1b[2J" in out.getvalue()


def test_it_says_that_a_run_is_not_trained_any_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_run(tmp_path)
    write(path / "metrics.jsonl", started(), step(1))
    assert main(["--lang", "en", "--no-ui", "--runs-dir", str(tmp_path), "watch", "r"]) == 0
    said = capsys.readouterr()
    assert "step      1/40 | loss 1.0000" in said.out
    assert "not being trained now" in said.err


def test_an_imported_run_is_not_to_be_gone_on_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_run(tmp_path)
    (path / "report.json").write_text('{"imported": {"source": "gpt2"}}', encoding="utf-8")
    assert main(["--lang", "en", "--no-ui", "--runs-dir", str(tmp_path), "watch", "r"]) == 0
    assert capsys.readouterr().err == "r was imported, there is no training in it\n"


def test_it_follows_a_run_until_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_run(tmp_path)
    write(path / "metrics.jsonl", started(), step(1))
    lock = FolderLock(path / "lock")
    lock.acquire()
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        """Stands in for the time in which the other process goes on."""
        naps.append(seconds)
        write(path / "metrics.jsonl", step(1 + len(naps)))
        if len(naps) == 3:
            write(path / "metrics.jsonl", Finished("max_steps", 4, 2.0, 3.0, 1.0, 0.9, 1))
            lock.release()

    monkeypatch.setattr(time, "sleep", sleep)
    out = io.StringIO()
    follow(path, Console(out))
    assert [text.split("|")[0].split()[1] for text in out.getvalue().splitlines() if text.startswith("step")] == [
        "1/40", "2/40", "3/40", "4/40",
    ]  # fmt: skip


def test_an_unknown_run_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path, "here")
    assert main(["--lang", "en", "--no-ui", "--runs-dir", str(tmp_path), "watch", "gone"]) == 1
    assert "there are: here" in capsys.readouterr().err


def test_a_run_is_found_by_name_by_path_or_as_the_newest(tmp_path: Path) -> None:
    first, second = make_run(tmp_path, "a"), make_run(tmp_path, "b")
    write(first / "metrics.jsonl", started())
    os.utime(second / "config.yaml", (1.0, 1.0))
    assert find_path(str(tmp_path), "b") == second
    assert find_path(str(tmp_path / "none"), str(second)) == second
    assert find_path(str(tmp_path), None) == first
    with pytest.raises(RunError):
        find_path(str(tmp_path), "\0")


def test_in_a_terminal_the_app_opens_on_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_run(tmp_path)
    opened: list[Any] = []
    monkeypatch.setattr("sys.stdin", Namespace(isatty=lambda: True))
    monkeypatch.setattr("sys.stdout", Namespace(isatty=lambda: True))
    monkeypatch.setattr(gpt_tui.screen, "open_app", lambda args, opening: opened.append(opening) or 0)
    assert run(Namespace(no_ui=False, runs_dir=str(tmp_path), run="r")) == 0
    assert opened[0].watch == path
