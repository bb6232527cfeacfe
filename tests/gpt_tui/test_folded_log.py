"""The log of a run: nothing twice, nothing lost, and nothing beyond the right edge."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from core.text import cell_width
from gpt_tui.widgets.folded_log import MOST_LINES, FoldedLog

from .app_desk import until

LONG = "step 25 | loss 4.8539 | lr 1.33e-03 | grad 21.62 | 9,881 tok/s | elapsed 0:06 | eta 6:54"
CHINESE = "配方里的四个问题在训练中会一再被问到，答对的会打上勾，看得见答案是怎样一点一点成形的"


class Alone(App[None]):
    def compose(self) -> ComposeResult:
        yield FoldedLog(id="log")


def drive(width: int, act: Callable[[FoldedLog, Pilot[Any]], Awaitable[None]]) -> None:
    async def run() -> None:
        app = Alone()
        async with app.run_test(size=(width, 20)) as pilot:
            await act(app.query_one(FoldedLog), pilot)

    asyncio.run(run())


def shown(log: FoldedLog) -> list[str]:
    return [line for line in log.lines if line]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_every_line_fits_and_none_is_lost(width: int) -> None:
    async def act(log: FoldedLog, pilot: Pilot[Any]) -> None:
        log.show("a", [LONG, CHINESE], 2)
        await pilot.pause()
        assert all(sum(map(cell_width, line)) <= width for line in shown(log))
        assert "".join(shown(log)).replace(" ", "") == (LONG + CHINESE).replace(" ", "")

    drive(width, act)


def test_only_what_is_new_is_added_and_another_run_begins_anew() -> None:
    async def act(log: FoldedLog, _pilot: Pilot[Any]) -> None:
        log.show("a", ["one", "two"], 2)
        log.show("a", ["one", "two"], 2)
        log.show("a", ["two", "three"], 3)
        assert shown(log) == ["one", "two", "three"]
        log.show("b", ["else"], 1)
        assert shown(log) == ["else"]

    drive(80, act)


def test_another_width_folds_anew() -> None:
    async def act(log: FoldedLog, pilot: Pilot[Any]) -> None:
        log.show("a", [LONG], 1)
        assert len(shown(log)) == 1
        await pilot.resize_terminal(50, 20)
        await until(pilot, lambda: len(shown(log)) == 2)
        log.show("a", [LONG, "short"], 2)
        assert shown(log)[-1] == "short"

    drive(120, act)


def test_a_narrower_terminal_and_another_run_leave_the_newest_line_in_sight() -> None:
    """The log stood where it was, and never again followed what was written."""
    lines = [LONG] * 30

    async def act(log: FoldedLog, pilot: Pilot[Any]) -> None:
        log.show("a", lines, 30)
        await pilot.pause()
        for size in ((120, 40), (40, 10), (40, 8)):
            await pilot.resize_terminal(*size)
            await until(pilot, lambda: log.is_vertical_scroll_end and log.size.height == log.app.size.height)
        log.scroll_home(animate=False, immediate=True)
        await pilot.pause()
        log.show("a", [*lines, "more"], 31)
        assert not log.is_vertical_scroll_end, "who reads further up is left there"
        log.show("b", [LONG] * 20, 20)
        log.show("b", [LONG] * 21, 21)
        await until(pilot, lambda: log.is_vertical_scroll_end)

    drive(80, act)


def test_the_newest_line_is_in_sight_after_a_while_on_another_tab() -> None:
    lines = [f"step {number}" for number in range(90)]

    async def act(log: FoldedLog, pilot: Pilot[Any]) -> None:
        log.show("a", lines[:30], 30)
        log.display = False
        await pilot.pause()
        for count in range(31, 90):
            log.show("a", lines[:count], count)
        log.display = True
        await until(pilot, lambda: len(shown(log)) == 89)
        assert log.is_vertical_scroll_end
        log.show("a", lines, 90)
        await pilot.pause()
        assert log.is_vertical_scroll_end
        assert shown(log) == lines

    drive(80, act)


def test_a_very_long_log_keeps_showing_its_end() -> None:
    """Screen and all: it stood still after a thousand lines, and the end of a training was never seen."""

    async def act(log: FoldedLog, pilot: Pilot[Any]) -> None:
        for number in range(0, 4 * MOST_LINES, 10):
            log.show("a", [f"line {n}" for n in range(number, number + 10)], number + 10)
            if number % 500 == 0:
                await pilot.pause()
        await pilot.pause()
        seen = "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())
        assert f"line {4 * MOST_LINES - 1}" in seen
        assert len(shown(log)) <= 2 * MOST_LINES

    drive(40, act)
