"""The app in a real (pseudo-)terminal: signals, hang-ups, leaving, and what comes out where there is none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pty")

from .pseudo_terminal import CURSOR_BACK, LEFT_SCREEN, ROOT, PseudoTerminal

CHILD = str(Path(__file__).with_name("pty_child.py"))
Open = Callable[..., PseudoTerminal]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Open]:
    opened: list[PseudoTerminal] = []

    def start(*options: str, **more: str) -> PseudoTerminal:
        opened.append(PseudoTerminal([CHILD, str(tmp_path / "runs"), *options], tmp_path, **more))
        return opened[-1]

    yield start
    for item in opened:
        item.close()


def log_of(home: Path) -> str:
    return (home / "runs" / "pty-run" / "train.log").read_text(encoding="utf-8")


def restored(terminal: PseudoTerminal) -> bool:
    """Whether the terminal is as it was: main screen, cursor, line mode, mouse off."""
    tail = terminal.output[terminal.output.rindex(LEFT_SCREEN) :]
    return CURSOR_BACK in tail and terminal.attributes() == terminal.before and "\x1b[?1003l" in terminal.output


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_restores_and_exits(number: int, code: int, terminal: Open, tmp_path: Path) -> None:
    app = terminal()
    app.wait_for("running")
    app.read(0.5)
    app.send(number)
    assert app.wait(60.0) == code
    assert restored(app)
    assert "saved last at step" in log_of(tmp_path)
    assert signal.Signals(number).name in log_of(tmp_path) or "Ctrl+C" in log_of(tmp_path)
    assert "go on with: gpt-tui" in app.output


@pytest.mark.slow
@pytest.mark.parametrize(("key", "saves"), [("s", True), ("d", False)])
def test_quitting_takes_less_than_five_seconds(key: str, saves: bool, terminal: Open, tmp_path: Path) -> None:
    app = terminal()
    app.wait_for("running")
    app.type("\x11")
    app.wait_for("Save and quit")
    begin = time.monotonic()
    app.type(key)
    assert app.wait(60.0) == 0
    assert time.monotonic() - begin < 5.0
    assert restored(app)
    assert ("saved last at step" in log_of(tmp_path)) == saves


@pytest.mark.slow
def test_going_on_without_the_screen_prints_lines(terminal: Open, tmp_path: Path) -> None:
    app = terminal("steps=300", "speed=0.03")
    app.wait_for("running")
    app.type("\x11")
    app.wait_for("Save and quit")
    app.type("h")
    app.wait_for(LEFT_SCREEN)
    assert app.wait(60.0) == 0
    after = app.output[app.output.rindex(LEFT_SCREEN) :]
    assert "step" in after
    assert "finished after 300 steps" in after
    assert "saved in" in after


@pytest.mark.slow
def test_ctrl_c_after_the_screen_saves_and_ends(terminal: Open, tmp_path: Path) -> None:
    app = terminal()
    app.wait_for("running")
    app.type("\x11")
    app.wait_for("Save and quit")
    app.type("h")
    app.wait_for(LEFT_SCREEN)
    app.output = ""
    app.wait_for("step ")  # from the first line on, what Ctrl+C means is settled
    app.type("\x03")
    assert app.wait(60.0) == 130
    assert "saved last at step" in log_of(tmp_path)


@pytest.mark.slow
def test_after_a_hang_up_the_training_goes_on_at_no_cost(terminal: Open, tmp_path: Path) -> None:
    app = terminal("speed=0.05", "noise")
    app.wait_for("running")
    app.read(0.5)
    app.hang_up()
    time.sleep(1.0)
    before, lines = app.cpu_seconds(), len(log_of(tmp_path).splitlines())
    time.sleep(3.0)
    used = app.cpu_seconds() - before
    assert used < 0.3, f"{used:.2f} s of processor time in 3 s"
    assert app.process.poll() is None
    assert len(log_of(tmp_path).splitlines()) > lines + 20
    app.send(signal.SIGTERM)
    assert app.wait(60.0) == 143
    assert "saved last at step" in log_of(tmp_path)


@pytest.mark.slow
def test_a_hang_up_may_also_save_and_exit(terminal: Open, tmp_path: Path) -> None:
    settings = tmp_path / "config" / "gpt-tui" / "app.json"
    settings.parent.mkdir(parents=True)
    settings.write_text('{"hangup": "save"}')
    app = terminal()
    app.wait_for("running")
    app.read(0.5)
    app.hang_up()
    app.wait(60.0)
    assert "saved last at step" in log_of(tmp_path)


@pytest.mark.slow
def test_a_hang_up_with_nothing_to_train_ends_the_app(terminal: Open) -> None:
    app = terminal("idle")
    app.wait_for("idle")
    app.read(0.5)
    app.hang_up()
    app.wait(60.0)


@pytest.mark.slow
def test_a_terminal_that_is_gone_without_a_signal_is_noticed(terminal: Open) -> None:
    app = terminal("idle", "nohup")
    app.wait_for("idle")
    app.read(0.5)
    app.hang_up()
    app.wait(60.0)


@pytest.mark.slow
def test_suspending_stands_still_and_comes_back(terminal: Open, tmp_path: Path) -> None:
    app = terminal("speed=0.05")
    app.wait_for("running")
    app.read(0.5)
    app.type("\x1a")
    end = time.monotonic() + 10.0
    while app.state() != "T":
        assert time.monotonic() < end, "not stopped"
        app.read(0.05)
    assert LEFT_SCREEN in app.output
    assert app.attributes() == app.before
    assert "paused" in log_of(tmp_path)
    lines = len(log_of(tmp_path).splitlines())
    time.sleep(1.0)
    app.output = ""
    app.send(signal.SIGCONT)
    app.wait_for("running")
    assert "\x1b[?1049h" in app.output
    app.read(1.0)
    assert len(log_of(tmp_path).splitlines()) > lines + 3
    app.send(signal.SIGTERM)
    assert app.wait(60.0) == 143


@pytest.mark.slow
def test_c_libraries_write_to_the_runs_log_not_to_the_screen(terminal: Open, tmp_path: Path) -> None:
    app = terminal("noise")
    app.wait_for("running")
    app.read(1.0)
    app.send(signal.SIGTERM)
    assert app.wait(60.0) == 143
    screen = app.output[: app.output.rindex(LEFT_SCREEN)]
    assert "noise of a C library" not in screen
    assert "noise of a C library" in log_of(tmp_path)


@pytest.mark.slow
def test_a_screen_that_breaks_down_does_not_end_the_training(terminal: Open, tmp_path: Path) -> None:
    app = terminal("broken", "steps=150", "speed=0.03")
    app.wait_for("the screen has failed", 20.0)
    assert app.wait(60.0) == 1
    assert restored(app)
    assert "finished after 150 steps" in log_of(tmp_path)
    named = app.output.partition("details: ")[2].split()[0]
    assert "screen broken on purpose" in Path(named).read_text(encoding="utf-8")


# -- where there is no terminal for it --------------------------------------------------------------------------


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("gpt-tui: ")
    assert "gpt-tui --no-ui train" in lines[0]
    assert "\x1b" not in lines[0]
    return lines[0]


@pytest.mark.parametrize("arguments", [[], ["train"], ["train", "--resume"], ["train", "--steps", "3"]])
def test_without_a_terminal_one_line_and_code_2(arguments: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gpt_tui", "--lang", "en", *arguments], cwd=tmp_path, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert "needs a terminal" in one_line(done)
    assert list(tmp_path.iterdir()) == [], "and nothing has been begun"


@pytest.mark.parametrize(
    ("size", "term", "words"),
    [
        ((60, 24), "xterm", "60×24"),
        ((80, 10), "xterm", "80×10"),
        ((80, 24), "dumb", "TERM=dumb"),
    ],
)
def test_a_terminal_that_will_not_do(size: tuple[int, int], term: str, words: str, tmp_path: Path) -> None:
    app = PseudoTerminal(["-m", "gpt_tui", "train"], tmp_path, size=size, TERM=term)
    try:
        assert app.wait() == 2
        lines = app.output.strip().splitlines()
        assert len(lines) == 1
        assert words in lines[0]
        assert "\x1b" not in app.output
    finally:
        app.close()


@pytest.mark.slow
def test_a_training_into_a_pipe_is_plain_lines(
    shell: Callable[..., subprocess.Popen[bytes]], qa: Path, helpers: Any, tmp_path: Path
) -> None:
    process = shell(
        "--no-ui", "train", "--data", qa, "--valid", qa, "--run", "a", "--steps", "20", *helpers.tiny, cwd=tmp_path,
        env={"TERM": "xterm-256color", "FORCE_COLOR": "1", "COLORTERM": "truecolor"},
    )  # fmt: skip
    out, err = process.communicate()
    assert (process.returncode, err) == (0, b"")
    helpers.assert_harmless(out.decode())
    assert "20/20" in out.decode()


@pytest.mark.slow
def test_the_real_app_opens_quickly_and_quits(tmp_path: Path) -> None:
    begin = time.monotonic()
    app = PseudoTerminal(["-m", "gpt_tui", "--lang", "en"], tmp_path)
    try:
        app.wait_for("starts the recipe teacher")
        opened = time.monotonic() - begin
        app.read(0.2)
        app.type("q")
        assert app.wait(60.0) == 0
        assert restored(app)
        assert opened < 10.0, "a loaded machine takes its time; the figure is in the documentation"
    finally:
        app.close()


@pytest.mark.slow
def test_a_wrong_config_is_said_before_the_screen_opens(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("training:\n  lr: fast\n")
    app = PseudoTerminal(["-m", "gpt_tui", "--lang", "en"], tmp_path)
    try:
        assert app.wait() == 1
        assert "config.yaml:2" in app.output
        assert "training.lr" in app.output
        assert "\x1b[?1049h" not in app.output
    finally:
        app.close()
