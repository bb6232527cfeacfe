"""Events as lines; the bar under them on a terminal, and only there; and ``train.log``."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from core import events
from core.text import printable
from gpt_tui.console import Console, LogFile, lines

HOSTILE = "a\x1b]52;c;eA==\x07\x9b2J\u202eb\r\nc"
SAFE = "a\\x1b]52;c;eA==\\x07\\x9b2J\\u202eb\\r\\nc"


def line(event: events.Event, total: int | None = None) -> str:
    (only,) = lines(event, total)
    return only


# -- lines ----------------------------------------------------------------------------------------------------


def test_a_step() -> None:
    step = events.Step(30, 1.23456, 9.5e-4, 0.756, 12345.6, 65.2, 125.0)
    assert line(step, 300) == (
        "step    30/300 | loss 1.2346 | lr 9.50e-04 | grad 0.76 | 12,346 tok/s | elapsed 1:05 | eta 2:05"
    )
    assert line(events.Step(30, 1.0, 1e-3, 1.0, 1.0, 1.0, None)).endswith("eta –")
    assert line(events.Step(30, 1.0, 1e-3, 1.0, 1.0, 1.0, None)).startswith("step        30 |")


def test_an_evaluation() -> None:
    assert line(events.Eval(30, 1.5, 1.5, 30, True)) == "eval at step 30 | loss 1.5000 | best so far"
    assert line(events.Eval(60, 1.75, 1.5, 30)) == "eval at step 60 | loss 1.7500 | best 1.5000 @ step 30"


def test_a_probe_shows_whether_it_was_right() -> None:
    assert line(events.Probe(1, "水？", "H2O", "H2O", True)) == "  ✓ 水？ → H2O"
    assert line(events.Probe(1, "水？", "火", "H2O", False)) == "  ✗ 水？ → 火"
    assert line(events.Probe(1, "水？", "火", None, False)) == "    水？ → 火"


def test_the_start_says_what_will_happen() -> None:
    part = {
        "rows": 12,
        "tokens": 1234,
        "supervised_tokens": 567,
        "length": {"p50": 22, "max": 39},
        "padding_share": 0.25,
    }
    started = events.Started("a", "runs/a", "teacher", 0, "cpu", 2, "bf16", 3368192, 824, 300, 1.5, {"train": part})
    assert list(lines(started)) == [
        "run a (teacher) in runs/a",
        "device cpu | 2 threads | bf16 | 3,368,192 parameters | vocabulary 824",
        "train: 12 rows, 1,234 tokens, 567 learnt, length 22 (longest 39), padding 25.0 %",
        "training for 300 steps or 1.5 minutes",
    ]
    resumed = events.Started("a", "runs/a", "teacher", 40, "cpu", 2, "bf16", 1, 2, 300, None, {})
    assert list(lines(resumed))[1] == "going on from step 40"
    assert list(lines(resumed))[-1] == "training for 300 steps"


def test_the_rest() -> None:
    assert line(events.Saved(30, "runs/a/x", "best", 13_472_768)) == "saved best at step 30: runs/a/x (13.5 MB)"
    assert line(events.Notice("{n} rows", {"n": 3})) == "note: 3 rows"
    assert line(events.Notice("{n} rows", {"n": 3}, "warning")) == "warning: 3 rows"
    assert line(events.Skipped(7, 2)).startswith("warning: step 7 ")
    assert "back from step 9 to step 5" in line(events.RolledBack(9, 5, 0.5))
    assert line(events.Changed(9, {"training.lr": 0.001})) == "changed at step 9: training.lr = 0.001"
    quantized = line(events.Quantized(9, "x", 3_400_000, 13_400_000, 0.99, 100, 200.0, 100.0))
    assert quantized.startswith("int8: 3.4 MB instead of 13.4 MB, 99.0 % of 100 answers the same")
    assert [list(lines(events.State(state))) for state in ("training", "saving", "done")] == [[], [], []]
    part = {"exact": 11, "total": 12, "exact_rate": 11 / 12, "ci95": [0.646, 0.985], "majority_rate": 0.083}
    verified = list(lines(events.Verified(9, {"valid": {**part, "by_kind": {"fact": part}}})))
    assert verified[0] == ("valid: 11 of 12 exact (91.7 %, 95 % interval 64.6 %–98.5 %; commonest answer 8.3 %)")
    assert verified[1].startswith("  fact: 11 of 12 exact")


@pytest.mark.parametrize(
    ("reason", "text"),
    [("max_steps", "finished after"), ("SIGTERM", "stopped by the system"), ("new one", "new one after")],
)
def test_the_end_says_why(reason: str, text: str) -> None:
    end = line(events.Finished(reason, 300, 12.34, 15.6, 0.1234, None, 0))
    assert end.startswith(text)
    assert end.endswith("300 steps, 12.3 s of training, 15.6 s in all | loss 0.1234")
    evaluated = line(events.Finished(reason, 300, 12.34, 15.6, 0.1234, 0.5, 200))
    assert evaluated == f"{end} | best eval loss 0.5000 @ step 200"


part = {"rows": 1, "tokens": 1, "supervised_tokens": 1, "length": {"p50": 1, "max": 1}, "padding_share": 0.0}
rates = {"exact": 1, "total": 1, "exact_rate": 1.0, "ci95": [0.0, 1.0], "majority_rate": 0.0}


@pytest.mark.parametrize(
    "event",
    [
        events.Started(HOSTILE, HOSTILE, HOSTILE, 0, "cpu", 1, "fp32", 1, 1, 1, None, {"train": part}),
        events.Notice("{name}", {"name": HOSTILE}),
        events.Notice("{problem}; the checkpoint before it is used", {"problem": HOSTILE}, "warning"),
        events.Probe(1, HOSTILE, HOSTILE, HOSTILE, True),
        events.Saved(1, HOSTILE, "last", 1),
        events.Verified(1, {"train": {**rates, "by_kind": {HOSTILE: rates}}}),
    ],
    ids=lambda event: event.kind,
)
def test_nothing_in_an_event_reaches_the_terminal_as_it_is(event: events.Event) -> None:
    found = list(lines(event))
    assert any(SAFE in text for text in found)
    for text in found:
        assert printable(text) == text


# -- the console ----------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """An output that says it is a terminal, and what it would show."""

    def isatty(self) -> bool:
        return True

    def screen(self) -> list[str]:
        rows = []
        for row in self.getvalue().split("\n"):
            shown = ""
            for piece in re.split(r"(\r\x1b\[K)", row):
                shown = "" if piece == "\r\x1b[K" else shown + piece
            assert "\x1b" not in shown
            rows.append(shown)
        return rows


def test_without_a_terminal_there_are_only_lines() -> None:
    out = io.StringIO()
    console = Console(out)
    console.print("one")
    console.progress(0.5, "half")
    console.print("two")
    console.clear()
    assert out.getvalue() == "one\ntwo\n"


def test_the_bar_stays_under_the_lines() -> None:
    out = Terminal()
    console = Console(out)
    console.print("one")
    assert out.screen() == ["one", ""]
    console.progress(0.5, "loss 1.0")
    bar = f"[{'#' * 15}{'.' * 15}]  50 %  loss 1.0"
    assert out.screen() == ["one", bar]
    console.print("two")
    assert out.screen() == ["one", "two", bar]
    console.progress(1.0, "")
    assert out.screen()[-1].startswith(f"[{'#' * 30}] 100 %")
    console.clear()
    assert out.screen() == ["one", "two", ""]
    console.print("three")
    assert out.screen() == ["one", "two", "three", ""]


class Broken(io.StringIO):
    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error, self.writes = error, 0

    def write(self, text: str) -> int:
        self.writes += 1
        raise self.error


def test_a_terminal_that_hung_up_does_not_end_the_training() -> None:
    out = Broken(OSError(5, "Input/output error"))
    console = Console(out)
    for _ in range(3):
        console.print("x")
    assert out.writes == 1


def test_a_reader_that_has_gone_ends_it() -> None:
    with pytest.raises(BrokenPipeError):
        Console(Broken(BrokenPipeError())).print("x")


def test_it_writes_to_what_is_standard_output_then(capsys: pytest.CaptureFixture[str]) -> None:
    Console().print("水")
    assert capsys.readouterr().out == "水\n"


# -- the log --------------------------------------------------------------------------------------------------


def test_the_log_waits_for_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "run" / "train.log"
    log = LogFile(path)
    log.write("before")
    assert not path.parent.exists()
    path.parent.mkdir()
    log.write("水")
    log.write("after")
    log.close()
    found = path.read_text(encoding="utf-8").splitlines()
    assert [text[21:] for text in found] == ["before", "水", "after"]
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ", text) for text in found)


def test_the_log_of_a_resumed_run_goes_on(tmp_path: Path) -> None:
    for text in ("first", "second"):
        log = LogFile(tmp_path / "train.log")
        log.write(text)
        log.close()
    assert (tmp_path / "train.log").read_text(encoding="utf-8").count("\n") == 2


def test_a_log_never_written_to_makes_no_file(tmp_path: Path) -> None:
    LogFile(tmp_path / "train.log").close()
    assert not (tmp_path / "train.log").exists()


def test_a_log_takes_any_text(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "train.log")
    log.write("name \udcff")
    log.close()
    assert "name \\udcff" in (tmp_path / "train.log").read_text(encoding="utf-8")


def test_a_full_disk_neither_ends_the_training_nor_loses_a_line(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "train.log")
    log.write("one")
    assert log._file is not None
    real, log._file._file = log._file._file, Broken(OSError(28, "No space left on device"))
    log.write("two")
    log.write("three")
    log._file._file = real
    log.write("four")
    log.close()
    found = (tmp_path / "train.log").read_text(encoding="utf-8").splitlines()
    assert [text[21:] for text in found] == ["one", "two", "three", "four"]


def test_a_log_that_cannot_be_opened_is_none(tmp_path: Path) -> None:
    (tmp_path / "train.log").mkdir()
    log = LogFile(tmp_path / "train.log")
    log.write("one")
    log.close()
