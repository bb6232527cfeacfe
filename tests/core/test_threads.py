"""Teams of torch's threads: none is left behind by a thread that has computed."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from core.threads import borrowed_threads, release_threads

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only GNU's OpenMP counts the threads of all teams")

#: Threads that computing adds: three of a team of four beside the one that computes.
TEAM, MORE = 4, 3


def threads() -> int:
    """Of this process, those that Python knows nothing of included."""
    return len(list(Path("/proc/self/task").iterdir()))


def soon(wanted: int) -> int:
    """How many threads there are, once they are ``wanted`` or after 10 seconds."""
    end = time.monotonic() + 10
    while threads() != wanted and time.monotonic() < end:
        time.sleep(0.01)
    return threads()


def compute() -> float:
    return float((torch.ones(1_000_000) * 2).sum())


@pytest.fixture(autouse=True)
def nobody_else() -> None:
    """What earlier tests left in this thread is gone."""
    release_threads()


def in_a_thread(before: int, seen: dict[str, int], over: threading.Event) -> None:
    with borrowed_threads(TEAM):
        assert compute() == 2_000_000
        seen["computing"] = threads() - before
    seen["afterwards"] = soon(before + 1) - before
    over.wait(10)


def test_a_thread_that_lives_on_keeps_no_team() -> None:
    before, seen, over = threads(), dict[str, int](), threading.Event()
    thread = threading.Thread(target=in_a_thread, args=(before, seen, over))
    thread.start()
    try:
        end = time.monotonic() + 20
        while "afterwards" not in seen and time.monotonic() < end:
            time.sleep(0.01)
        assert seen == {"computing": 1 + MORE, "afterwards": 1}
    finally:
        over.set()
        thread.join()


def test_it_computes_again_afterwards_and_as_well() -> None:
    before = threads()
    with borrowed_threads(TEAM):
        compute()
    assert soon(before) == before
    with borrowed_threads(TEAM):
        assert compute() == 2_000_000
        assert threads() == before + MORE
    assert soon(before) == before


def test_the_team_of_another_thread_stays() -> None:
    before, ready, over = threads(), threading.Event(), threading.Event()

    def other() -> None:
        torch.set_num_threads(TEAM)
        compute()
        ready.set()
        over.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    assert ready.wait(10)
    release_threads()
    assert threads() == before + 1 + MORE
    over.set()
    thread.join()
    assert soon(before) == before


def test_given_back_also_where_the_work_failed() -> None:
    def fail() -> None:
        with borrowed_threads(TEAM):
            compute()
            raise ZeroDivisionError

    before = threads()
    with pytest.raises(ZeroDivisionError):
        fail()
    assert soon(before) == before
