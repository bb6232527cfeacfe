"""Two at a time: everything comes back, in order, and nothing is left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import torch

from core.generate import answer_batch
from core.model import GPT
from core.schema import SamplingConfig
from core.side_by_side import WORKERS, side_by_side
from core.tokenizer import Tokenizer

from ...torch_team import TEAM, compute, counts_teams, more_than, threads_before


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_two_at_the_same_time_in_order(threads: Callable[[int], None]) -> None:
    threads(4)
    both = threading.Barrier(WORKERS, timeout=20)
    used: list[int] = []

    def work(number: int) -> int:
        both.wait()  # comes back only when another one is being computed too
        used.append(torch.get_num_threads())
        return number * number

    assert list(side_by_side(work, range(6))) == [0, 1, 4, 9, 16, 25]
    assert used == [2] * 6
    assert torch.get_num_threads() == 4


@counts_teams
def test_no_idle_team_beside_them(threads: Callable[[int], None]) -> None:
    before, found = threads_before(), list[int]()
    threads(TEAM)
    compute()
    for _ in side_by_side(lambda _: found.append(more_than(before, 1)), [1]):
        pass
    assert found == [1]


def test_one_thread_takes_one_after_the_other(threads: Callable[[int], None]) -> None:
    threads(1)
    assert list(side_by_side(lambda _: threading.current_thread(), [1, 2])) == [threading.current_thread()] * 2


def test_what_goes_wrong_is_raised_and_the_threads_come_back(threads: Callable[[int], None]) -> None:
    threads(2)

    def work(number: int) -> int:
        if number == 1:
            raise MemoryError("no room")
        return number

    results = side_by_side(work, range(50))
    assert next(results) == 0
    with pytest.raises(MemoryError, match="no room"):
        list(results)
    assert torch.get_num_threads() == 2


def test_closed_early_it_drops_the_rest(threads: Callable[[int], None]) -> None:
    threads(2)
    begun: list[int] = []
    go = threading.Event()

    def work(number: int) -> int:
        begun.append(number)
        assert number == 0 or go.wait(20)
        return number

    results = side_by_side(work, range(100))
    assert next(results) == 0
    threading.Timer(0.2, go.set).start()
    results.close()  # type: ignore[attr-defined]
    assert len(begun) <= 1 + WORKERS
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("side-by-side")]


def test_batches_answer_the_same_side_by_side(
    threads: Callable[[int], None], make_model: Callable[..., GPT], words: Tokenizer
) -> None:
    model = make_model(words.vocab_size)
    generator = torch.Generator().manual_seed(0)
    prompts = [
        torch.randint(4, words.vocab_size, (3 + i % 7,), generator=generator).tolist() for i in range(30)
    ]  # fmt: skip
    config = SamplingConfig(max_new_tokens=6, min_new_tokens=6, temperature=0.0, stop=[])
    threads(1)
    alone = dict(answer_batch(model, words, prompts, config, batch_size=4))
    threads(2)
    assert dict(answer_batch(model, words, prompts, config, batch_size=4)) == alone
    assert sorted(alone) == list(range(30))
    assert len(set(alone.values())) > 5


def test_two_threads_are_enough_for_two(threads: Callable[[int], None]) -> None:
    threads(WORKERS)
    both = threading.Barrier(WORKERS, timeout=20)

    def work(_number: int) -> int:
        both.wait()  # comes back only when another one is being computed too
        return torch.get_num_threads()

    assert list(side_by_side(work, range(4))) == [1] * 4
