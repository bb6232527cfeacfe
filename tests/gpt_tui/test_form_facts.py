"""When it is time to look for what a configuration will cost."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from core.config import load_config
from core.events import Step
from gpt_tui.desk import Desk
from gpt_tui.estimates import Facts
from gpt_tui.history import Snapshot
from gpt_tui.widgets.form_facts import FactFinder


def step(number: int, elapsed: float) -> Step:
    return Step(number, 1.0, 1e-3, 1.0, 100.0, elapsed, None, 0.1, 100, 0.1)


def test_during_a_training_once_and_again_when_it_has_written_down_how_fast_it_is(tmp_path: Path) -> None:
    session = SimpleNamespace(active=True, snapshot=Snapshot)
    finder = FactFinder(cast(Desk, SimpleNamespace(session=session, runs_dir=tmp_path)), None)
    config, told = load_config("teacher"), list[Facts | None]()

    def searched() -> bool:
        work: Any = finder.search(config, told.append)
        if work is not None:
            work()
            assert told[-1] is None
            for facts in told:
                finder.found(facts)
        return work is not None

    assert [searched(), searched()] == [True, False]
    for last, again in ((step(1, 9.0), False), (step(50, 1.0), False), (step(50, 9.0), True), (step(60, 9.5), False)):
        session.snapshot = lambda last=last: Snapshot(last=last)
        assert searched() is again
