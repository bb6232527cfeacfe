"""Seconds from typing a command to its first sign of life."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from core.errors import RunError

from .terminal import Terminal

PROGRAM = (sys.executable, "-m", "gpt_tui", "--lang", "en")
LONGEST = 120.0  # seconds that a start may take
#: A tab of the top line, in the language asked for above.
FIRST_PAINT = "1 Train"
TERMINAL = os.name == "posix"


def environment(home: Path) -> dict[str, str]:
    """As a user would start it, his settings and runs left alone."""
    package = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "GPT_TUI_RUNS")}
    return kept | {
        "PYTHONPATH": path, "TERM": "xterm-256color", "XDG_CONFIG_HOME": str(home), "XDG_STATE_HOME": str(home),
    }  # fmt: skip


def failed(what: str, reason: str) -> RunError:
    """What is raised where a measurement came to nothing."""
    return RunError("{what}: the measurement failed: {reason}", what=what, reason=reason)


def seconds_to_end(arguments: Sequence[str], home: Path) -> float:
    """Of a command that ends by itself."""
    begin = time.perf_counter()
    subprocess.run([*PROGRAM, *arguments], cwd=home, env=environment(home), capture_output=True, check=True)
    return time.perf_counter() - begin


def seconds_to_output(arguments: Sequence[str], home: Path) -> float:
    """Until the first byte of standard output."""
    begin = time.perf_counter()
    with subprocess.Popen([*PROGRAM, *arguments], cwd=home, env=environment(home), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        first = process.stdout.read(1)
        seconds = time.perf_counter() - begin
        process.stdout.read()
    if not first:
        raise failed(" ".join(arguments), "no output")
    return seconds


def seconds_to_paint(home: Path) -> float:
    """Until the app's first screen is written, at 120 x 40."""
    terminal = Terminal(PROGRAM, home, environment(home))
    try:
        seconds = terminal.seconds_until(FIRST_PAINT, LONGEST)
    finally:
        terminal.close()
    if seconds is None:
        raise failed("gpt-tui", "no screen")
    return seconds


def measure_launches(home: Path, runs: Path, run: str, rounds: int) -> dict[str, float | None]:
    """Medians of ``rounds`` in which the starts take turns; None for the app where there is no pseudo-terminal."""
    ask = ["ask", "什么是水？", "--run", run, "--runs-dir", str(runs)]
    starts: dict[str, Callable[[], float]] = {
        "help": lambda: seconds_to_end(["--help"], home),
        "first_paint": lambda: seconds_to_paint(home),
        "first_token": lambda: seconds_to_output(ask, home),
    }
    if not TERMINAL:
        del starts["first_paint"]
    found: dict[str, list[float]] = {name: [] for name in starts}
    for number in range(rounds + 1):
        for name, start in starts.items():
            seconds = start()
            if number:  # the first of each reads the files from the disk
                found[name].append(seconds)
    medians = {name: statistics.median(seconds) for name, seconds in found.items()}
    return {name: medians.get(name) for name in ("help", "first_paint", "first_token")}
