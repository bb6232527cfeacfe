"""The whole product, as a person uses it: the app in a real terminal trains a model and is asked a question."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="no tmux: nothing here to read a real screen from"),
]


class Tmux:
    """A terminal of 100×30 cells in a server of its own."""

    def __init__(self, folder: Path) -> None:
        self._socket = str(folder / "tmux")

    def call(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-u", "-f", os.devnull, "-S", self._socket, *arguments], capture_output=True, text=True,
            encoding="utf-8", check=False,
        )  # fmt: skip
        return done.stdout

    def start(self, command: list[str], folder: Path, **environment: str) -> None:
        settings = [word for name, value in environment.items() for word in ("-e", f"{name}={value}")]
        # The shell says how it ended: tmux itself sometimes never hears of it.
        script = f"{shlex.join(command)}; echo EXIT $?; sleep 60"
        self.call("new-session", "-d", "-x", "100", "-y", "30", "-c", str(folder), *settings, "sh", "-c", script)

    def screen(self) -> str:
        return self.call("capture-pane", "-p")

    def wait_for(self, true: Callable[[str], bool], looks: int = 600) -> str:
        """Until the screen is as wanted. Counted in looks, ten a second: a loaded machine may stand still."""
        for _look in range(looks):
            screen = self.screen()
            if true(screen):
                return screen
            time.sleep(0.1)
        raise AssertionError(f"it did not come; the screen:\n{self.screen()}")

    def type(self, *keys: str) -> None:
        self.call("send-keys", *keys)


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    terminal = Tmux(tmp_path)
    yield terminal
    terminal.call("kill-server")


def test_train_ask_and_read_the_answer(tmux: Tmux, tmp_path: Path, qa: Path, helpers: Any) -> None:
    question, answer = "猫吃什么？", helpers.pairs["猫吃什么？"]
    train = ["--lang", "en", "train", "--data", str(qa), "--valid", str(qa), "--run", "tiny", "--steps", "120"]
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_DATA_HOME": str(tmp_path / "data"),
            "XDG_STATE_HOME": str(tmp_path / "state")}  # fmt: skip
    tmux.start(
        [sys.executable, "-m", "gpt_tui", *train, *helpers.tiny], tmp_path,
        PYTHONPATH=str(helpers.root), OMP_NUM_THREADS="1", LANG="C.UTF-8", LC_ALL="C.UTF-8", GPT_TUI_RUNS="", **home,
    )  # fmt: skip
    screen = tmux.wait_for(lambda text: "■ done" in text)
    assert "120/120" in screen
    assert "100 % exact" in screen or "100.0 % exact" in screen

    tmux.type("3")
    tmux.wait_for(lambda text: "fp32" in text)  # the checkpoint is loaded
    tmux.type("-l", question)
    tmux.wait_for(lambda text: question in text)
    tmux.type("Enter")
    screen = tmux.wait_for(lambda text: f"❯ {question}" in text and "the model ended it" in text)
    said = [line.split("│")[0].strip(" ┃▌") for line in screen.split(f"❯ {question}")[1].splitlines()[1:]]
    assert answer in said, screen

    tmux.type("C-q")
    tmux.wait_for(lambda text: "EXIT 0" in text)
    assert (tmp_path / "runs" / "tiny" / "report.json").is_file()
