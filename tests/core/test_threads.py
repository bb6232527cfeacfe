"""Teams of torch's threads: none is left behind by a thread that has computed."""

from __future__ import annotations

import threading

import pytest
import torch

from core.threads import borrowed_threads, release_threads

from ..torch_team import MORE, TEAM, compute, counts_teams, more_than, threads, threads_before

pytestmark = counts_teams


@pytest.fixture
def before() -> set[str]:
    return threads_before()


def test_a_thread_that_lives_on_keeps_no_team(before: set[str]) -> None:
    computing: list[int] = []
    done, over = threading.Event(), threading.Event()

    def work() -> None:
        with borrowed_threads(TEAM):
            assert compute() == 2_000_000
            computing.append(len(threads() - before))
        done.set()
        over.wait(20)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert done.wait(20)
        assert computing == [1 + MORE]
        assert more_than(before, 1) == 1
    finally:
        over.set()
        thread.join()


def test_it_computes_again_afterwards_and_as_well(before: set[str]) -> None:
    for _time in range(2):
        with borrowed_threads(TEAM):
            assert compute() == 2_000_000
            assert len(threads() - before) == MORE
        assert more_than(before, 0) == 0


def test_the_count_of_threads_is_as_before(before: set[str]) -> None:
    count = torch.get_num_threads()
    with borrowed_threads(count + 1):
        assert torch.get_num_threads() == count + 1
    assert torch.get_num_threads() == count


def test_the_team_of_another_thread_stays(before: set[str]) -> None:
    ready, over = threading.Event(), threading.Event()

    def other() -> None:
        torch.set_num_threads(TEAM)
        compute()
        ready.set()
        over.wait(20)

    thread = threading.Thread(target=other)
    thread.start()
    assert ready.wait(20)
    release_threads()
    assert len(threads() - before) == 1 + MORE
    over.set()
    thread.join()
    assert more_than(before, 0) == 0


def test_given_back_also_where_the_work_failed(before: set[str]) -> None:
    def fail() -> None:
        with borrowed_threads(TEAM):
            compute()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert more_than(before, 0) == 0
