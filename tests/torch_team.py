"""Seeing the threads that torch makes, which Python knows nothing of."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
import torch

from core.threads import borrowed_threads

#: Threads that computing adds: three of a team of four, beside the one that computes.
TEAM, MORE = 4, 3

counts_teams = pytest.mark.skipif(sys.platform != "linux", reason="only GNU's OpenMP counts the threads of all teams")


def threads() -> set[str]:
    """Of this process, by number."""
    return {path.name for path in Path("/proc/self/task").iterdir()}


def threads_before() -> set[str]:
    """Those that are there before anything is computed: the idle pool that torch makes when it is first told a number
    of threads, but no team of the calling thread."""
    with borrowed_threads(TEAM):
        pass
    return threads()


def more_than(before: set[str], wanted: int) -> int:
    """How many threads there are that were not there ``before``, once they are ``wanted`` or after 10 seconds."""
    end = time.monotonic() + 10
    while len(threads() - before) != wanted and time.monotonic() < end:
        time.sleep(0.01)
    return len(threads() - before)


def compute() -> float:
    """Enough for all threads that torch may use here."""
    return float((torch.ones(1_000_000) * 2).sum())
