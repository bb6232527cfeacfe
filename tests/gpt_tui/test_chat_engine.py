"""The engine behind the chat: with how many threads of torch it answers, and that none stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import RunError
from core.generate import Answer, Token
from gpt_tui.chat.engine import ModelEngine
from gpt_tui.chat.records import LIVE, Choice, Ending, Piece, Question, Voice

from ..torch_team import MORE, TEAM, compute, counts_teams, more_than, threads, threads_before

pytestmark = counts_teams


@pytest.fixture
def before() -> set[str]:
    return threads_before()


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Threads that each made-up token was computed with."""
    found: list[int] = []

    def generate(*_: object, **__: object) -> Iterator[Token | Answer]:
        for _token in range(3):
            compute()
            found.append(torch.get_num_threads())
            yield Token(5, "x", "x", 1.0)
        yield Answer("xxx", "end", "", 3, 1, 0.2, 0.1)

    monkeypatch.setattr("core.generate.generate", generate)
    monkeypatch.setattr("core.threads.usable_cores", lambda: TEAM)
    return found


def voice() -> Voice:
    config: Any = None
    return Voice(None, config)


def engine(training: bool) -> ModelEngine:
    def no_model() -> Any:
        raise AssertionError

    return ModelEngine(no_model, lambda: training)


def in_a_thread_that_lives_on(work: Callable[[], object], before: set[str]) -> None:
    with ThreadPoolExecutor(1) as thread:
        thread.submit(work).result(60)
        assert more_than(before, 1) == 1


def test_all_cores_answer_and_none_stays(before: set[str], used: list[int]) -> None:
    def work() -> None:
        items = list(engine(training=False).ask(voice(), Question("x")))
        assert [type(item) for item in items] == [Piece] * 3 + [Ending]

    in_a_thread_that_lives_on(work, before)
    assert used == [TEAM] * 3


def test_none_stays_of_an_answer_that_is_stopped(before: set[str], used: list[int]) -> None:
    def work() -> None:
        items = iter(engine(training=False).ask(voice(), Question("x")))
        next(items)
        assert len(threads() - before) == 1 + MORE
        items.close()  # type: ignore[attr-defined]

    in_a_thread_that_lives_on(work, before)
    assert used == [TEAM]


def test_one_thread_beside_a_training(before: set[str], used: list[int]) -> None:
    in_a_thread_that_lives_on(lambda: list(engine(training=True).ask(voice(), Question("x"))), before)
    assert used == [1] * 3


def test_none_stays_of_a_model_that_is_loaded(before: set[str], used: list[int]) -> None:
    def live_model() -> Any:
        compute()
        assert len(threads() - before) == 1 + MORE
        raise ZeroDivisionError

    def work() -> None:
        with pytest.raises(ZeroDivisionError):
            ModelEngine(live_model, lambda: False).load(Choice(None, LIVE))

    in_a_thread_that_lives_on(work, before)


def test_a_run_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"r: this run is gone$"):
        engine(training=False).load(Choice(tmp_path / "r", "last"))
