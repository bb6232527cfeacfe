"""How often is drawn beside a training."""

import asyncio
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from gpt_tui.app import QUIET_SECONDS, GptApp
from gpt_tui.desk import Desk
from gpt_tui.pace import QUIET_AFTER, Beat, Pace
from gpt_tui.panes import train
from gpt_tui.widgets.plot import Plot

from .app_desk import begin, make_desk, play, until
from .fake_engine import FakeEngine


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_beat() -> None:
    clock = Clock()
    beat = Beat(clock)
    assert beat.due("running", 2.0)
    clock.now += 1.9
    assert not beat.due("running", 2.0)
    assert beat.due("running", 1.0), "somebody has come: what was drawn rarely is drawn often at once"
    assert beat.due("paused", 2.0), "another state is shown at once"
    clock.now += 2.0
    assert beat.due("paused", 2.0)
    beat.forget()
    assert beat.due("paused", 2.0)


def test_who_only_looks_on() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert not pace.quiet
    clock.now += QUIET_AFTER
    assert pace.quiet
    pace.touch()
    assert not pace.quiet


def watched(folder: Path, clock: Clock) -> Desk:
    desk = make_desk(folder, FakeEngine(steps=10**6, seconds_per_step=0.002))
    desk.pace = Pace(clock)
    return desk


def test_numbers_come_every_second_and_at_once_when_somebody_is_there(tmp_path: Path) -> None:
    clock = Clock()
    desk = watched(tmp_path, clock)

    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        drawn: list[float] = []
        app._beat = Beat(clock)
        tick = app.tick

        def note() -> None:
            drawn.append(clock.now)
            tick()

        app.tick = note  # type: ignore[method-assign]
        begin(desk)
        await until(pilot, lambda: desk.session.snapshot().state == "running")
        drawn.clear()
        app._look()
        assert len(drawn) <= 1
        clock.now += QUIET_AFTER
        drawn.clear()
        for _half_second in range(8):
            clock.now += 0.5
            app._look()
        assert 3 <= len(drawn) <= 5  # the fake training changes its state when it evaluates
        assert QUIET_SECONDS < 1.0
        await pilot.press("n")
        assert not desk.pace.quiet

    play(desk, scene, tabs=("train",))


def test_plots_wait_for_three_seconds_where_nobody_is_there(tmp_path: Path) -> None:
    clock = Clock()
    desk = watched(tmp_path, clock)
    desk.session._engine.eval_interval = 10**7  # type: ignore[attr-defined]

    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        pane = app.main.panes["train"]
        assert isinstance(pane, train.TrainPane)
        pane._plots_beat = Beat(clock)
        plot = pane.query_one("#plot-loss", Plot)
        begin(desk)
        await until(pilot, lambda: desk.session.snapshot().step > 20)

        async def new_picture(seconds: float) -> bool:
            before, at = plot._version, desk.session.snapshot().step
            await until(pilot, lambda: desk.session.snapshot().step > at)
            clock.now += seconds
            pane.tick(desk.snapshot())
            return plot._version != before

        await new_picture(10.0)
        desk.pace.touch()
        assert await new_picture(train.LIVELY_SECONDS + 5.0)
        clock.now += QUIET_AFTER
        await new_picture(10.0)
        assert not await new_picture(train.LIVELY_SECONDS)
        assert await new_picture(train.QUIET_SECONDS)

    play(desk, scene, tabs=("train",))


def test_keys_pressed_before_the_tabs_are_there_are_kept(tmp_path: Path) -> None:
    """A number opens its tab, and what is typed behind it goes into that tab."""
    app = GptApp(make_desk(tmp_path), when_open=lambda it: it.action_tab("train"))

    async def run() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            app.simulate_key("3")
            for letter in "hi":
                app.simulate_key(letter)
            await until(pilot, lambda: app.main.complete and app._early is None)
            await until(pilot, lambda: app.main.panes["chat"].query("TextArea"))
            assert app.main.current == "chat"

    asyncio.run(run())
