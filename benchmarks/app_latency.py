"""How long the app takes to its first paint, and from a key press to its paint, with and without a training.

    python benchmarks/app_latency.py [--keys N] [--starts N] [--recipe NAME] [--json]

The app runs in a pseudo-terminal of 120×40. A key counts as painted when the text that it leads to has been written
to the terminal: a letter in the prompt of the Chat tab, another smoothing in the title of the Train tab's plot, the
head of the table of the Runs tab. POSIX only.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles

SIZE = (120, 40)
#: Seconds after which a key counts as lost: then the program has a fault, and the benchmark ends.
LOST = 60.0


class Terminal:
    """The app in a pseudo-terminal of its own session."""

    def __init__(self, arguments: list[str], home: Path) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
        environment = {
            **os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8",
            "XDG_CONFIG_HOME": str(home / "config"), "XDG_STATE_HOME": str(home / "state"),
        }  # fmt: skip
        self.begin = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gpt_tui", "--lang", "en", *arguments],
            stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=home, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self.text = ""

    def wait_for(self, text: str) -> float:
        """Seconds from ``begin`` until the text was written."""
        while text not in self.text:
            if time.perf_counter() - self.begin > LOST or self.process.poll() is not None:
                raise SystemExit(f"{text!r} did not come; the end of the output: {self.text[-500:]!r}")
            if select.select([self.master], [], [], 1.0)[0]:
                self.text += os.read(self.master, 1 << 16).decode("utf-8", "replace")
        return time.perf_counter() - self.begin

    def press(self, key: str, then: str) -> float:
        """Seconds from the key to the text that it leads to."""
        while select.select([self.master], [], [], 0.0)[0]:
            os.read(self.master, 1 << 16)
        self.text, self.begin = "", time.perf_counter()
        os.write(self.master, key.encode())
        return self.wait_for(then)

    def rest(self, seconds: float) -> None:
        """Let the app go on, and read what it draws."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            if select.select([self.master], [], [], left)[0]:
                os.read(self.master, 1 << 16)

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.master)


@contextlib.contextmanager
def app(arguments: list[str]) -> Iterator[Terminal]:
    with tempfile.TemporaryDirectory() as folder:
        terminal = Terminal(arguments, Path(folder))
        try:
            yield terminal
        finally:
            terminal.close()


def first_paint() -> float:
    with app([]) as terminal:
        return terminal.wait_for("1 Train")


def typed(terminal: Terminal, number: int) -> float:
    """A Chinese character that was not there before, into the prompt."""
    character = chr(0x4E00 + number)
    return terminal.press(character, character)


def smoothed(terminal: Terminal, number: int) -> float:
    """The plot's next smoothing; from 0.97 to none and on to 0.6 is not counted: there is no text to wait for."""
    if number % 2:
        seconds = terminal.press("e", "EMA 0.97")
        os.write(terminal.master, b"e")
        terminal.rest(0.3)
        terminal.press("e", "EMA 0.6")
        return seconds
    return terminal.press("e", "EMA 0.9")


def switched(terminal: Terminal, number: int) -> float:
    """To the Runs tab and back."""
    return terminal.press("1", "tokens/s") if number % 2 else terminal.press("5", "best loss")


KINDS: dict[str, tuple[str, Callable[[Terminal, int], float]]] = {
    "a letter in the Chat tab": ("3", typed),
    "smoothing of the plots": ("1", smoothed),
    "another tab": ("1", switched),
}


def keys(terminal: Terminal, count: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for name, (tab, press) in KINDS.items():
        os.write(terminal.master, tab.encode())
        terminal.rest(3.0)
        found[name] = []
        for number in range(count):
            found[name].append(press(terminal, number))
            terminal.rest(0.05 + 0.013 * (number % 7))  # not in step with the app's timer
        os.write(terminal.master, b"\x1b")
        terminal.rest(0.5)
    return found


def summary(seconds: list[float]) -> dict[str, float]:
    """Milliseconds."""
    p95 = quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    values = {"median": median(seconds), "p95": p95, "worst": max(seconds)}
    return {name: round(1000 * value, 1) for name, value in values.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, default=60, help="key presses of each kind")
    parser.add_argument("--starts", type=int, default=5, help="how often the app is started")
    parser.add_argument("--recipe", default="teacher", help="what is trained meanwhile")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    found["first paint"] = summary([first_paint() for _number in range(options.starts)])
    with app([]) as terminal:
        terminal.wait_for("1 Train")
        terminal.rest(6.0)
        found |= {f"{name}, idle": summary(times) for name, times in keys(terminal, options.keys).items()}
    with app(["train", "--recipe", options.recipe]) as terminal:
        terminal.wait_for("step ")
        terminal.rest(3.0)
        found |= {f"{name}, training": summary(times) for name, times in keys(terminal, options.keys).items()}
    if options.json:
        print(json.dumps(found))
        return
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; milliseconds")
    width = max(map(len, found))
    for name, values in found.items():
        print(name.ljust(width), "  ".join(f"{key} {value:7.1f}" for key, value in values.items()))


if __name__ == "__main__":
    main()
