"""Stopping from outside: once saves and says so in the exit code, twice ends at once, a hang-up does nothing."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.checkpoint import newest, verify
from core.control import Control
from core.runs import Run
from gpt_tui.commands.train import stop_on_signals

Cli = Callable[..., Any]
Shell = Callable[..., subprocess.Popen[bytes]]
STOPS = [signal.SIGINT, signal.SIGTERM]


# -- the handlers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", STOPS)
def test_the_first_signal_asks_for_a_stop(number: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    control = Control()
    with stop_on_signals(control):
        os.kill(os.getpid(), number)
        assert control.stop == number.name
        assert not control.discard
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "\nstopping after this step and saving; once more to stop at once\n"


@pytest.mark.parametrize("first", STOPS)
@pytest.mark.parametrize("second", STOPS)
def test_the_second_signal_ends_at_once(
    first: signal.Signals, second: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    with stop_on_signals(Control()):
        os.kill(os.getpid(), first)
        assert codes == []
        os.kill(os.getpid(), second)
        assert codes == [128 + second]


def test_a_signal_wakes_a_paused_training() -> None:
    control = Control()
    control.pause()
    with stop_on_signals(control):
        os.kill(os.getpid(), signal.SIGTERM)
    assert not control.paused


def test_a_hang_up_is_ignored() -> None:
    control = Control()
    with stop_on_signals(control):
        os.kill(os.getpid(), signal.SIGHUP)
    assert control.stop == ""


def test_the_handlers_before_come_back() -> None:
    numbers = [*STOPS, signal.SIGHUP]
    before = [signal.getsignal(number) for number in numbers]
    with contextlib.suppress(KeyError), stop_on_signals(Control()):
        assert not set(before) & {signal.getsignal(number) for number in numbers}
        raise KeyError
    assert [signal.getsignal(number) for number in numbers] == before


def test_a_terminal_that_has_gone_does_not_keep_a_stop_from_happening(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    control = Control()
    monkeypatch.setattr("sys.stderr", Gone())
    with stop_on_signals(control):
        os.kill(os.getpid(), signal.SIGINT)
    assert control.stop == "SIGINT"


# -- the command ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_training_is_saved_and_goes_on(
    gpt_tui: Cli, shell: Shell, qa: Path, helpers: Any, number: signal.Signals, code: int
) -> None:
    process = shell(
        "--no-ui", "train", "--json", "--data", qa, "--run", "a", "--steps", "1000000", *helpers.tiny, cwd=Path.cwd()
    )
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["kind"] == "step":
            break
    process.send_signal(number)
    out, err = process.communicate()
    assert process.returncode == code
    assert err.decode() == "\nstopping after this step and saving; once more to stop at once\n"
    last = json.loads(out.splitlines()[-1])
    assert (last["kind"], last["reason"]) == ("finished", number.name)
    steps = last["steps"]
    assert newest(Path("runs/a/checkpoints"))[0].name == f"step-{steps:08d}", "nothing learnt is lost"
    verify(Path(f"runs/a/checkpoints/step-{steps:08d}"))
    assert Run(Path("runs/a")).state() == "stopped"

    done = gpt_tui("--no-ui", "train", "--resume", "--steps", steps + 10)
    assert (done.code, done.err) == (0, "")
    assert f"going on from step {steps}" in done.out
    assert Run(Path("runs/a")).state() == "finished"
    assert gpt_tui("ask", "猫吃什么？").code == 0


def test_a_stopped_training_says_how_to_go_on(
    gpt_tui: Cli, qa: Path, helpers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.training.trainer import Trainer

    real = Trainer.step

    def step(trainer: Trainer, rows: Any, lr: float) -> Any:
        if trainer.progress.step == 7:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(trainer, rows, lr)

    monkeypatch.setattr(Trainer, "step", step)
    done = gpt_tui("--no-ui", "train", "--data", qa, "--run", "a", "--steps", "100", *helpers.tiny)
    assert done.code == 143
    assert done.out.splitlines()[-2:] == ["saved in runs/a", "go on with: gpt-tui --no-ui train --resume a"]
    assert "stopped by the system (SIGTERM) after 8 steps" in done.out
    assert newest(Path("runs/a/checkpoints"))[0].name == "step-00000008"
    assert not Path("runs/a/report.json").exists()


def test_an_interrupted_chat_is_silent(shell: Shell, trained: Path) -> None:
    process = shell("--no-ui", "chat", stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("猫吃什么？\n".encode())
    process.stdin.flush()
    assert process.stdout.readline().decode() == "鱼\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (130, b"", b"")
