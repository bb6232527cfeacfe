"""A desk with a fake engine, and running a scene in the app: for tests of the app and its panes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from core.config import load_config
from gpt_tui.actions import PANES
from gpt_tui.app import GptApp
from gpt_tui.desk import Desk
from gpt_tui.screens import main
from gpt_tui.session import Session
from gpt_tui.settings import AppSettings

from .fake_engine import FakeEngine, FakeRun

Scene = Callable[[GptApp, Pilot[Any]], Awaitable[None]]


def make_desk(folder: Path, engine: FakeEngine | None = None) -> Desk:
    config = load_config("teacher")
    session = Session(engine or FakeEngine(steps=10**6, seconds_per_step=0.002))
    return Desk(config, config, folder, session=session, settings=AppSettings())


def play(desk: Desk, scene: Scene, size: tuple[int, int] = (80, 24), tabs: Sequence[str] = ()) -> GptApp:
    """Run a scene in the app; a training that is left over is ended. With ``tabs`` it has only these, the first one
    open: a tab costs as much time as the rest of the app."""
    with pytest.MonkeyPatch.context() as patch:
        if tabs:
            patch.setattr(
                main, "PANES", sorted((row for row in PANES if row[0] in tabs), key=lambda r: tabs.index(r[0]))
            )
        return _play(GptApp(desk), scene, size)


def _play(app: GptApp, scene: Scene, size: tuple[int, int]) -> GptApp:
    desk = app.desk

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: app.main.complete)
            await pilot.pause()
            await scene(app, pilot)

    try:
        asyncio.run(run())
    finally:
        desk.session.stop(discard=True)
        desk.session.join(5.0)
    return app


def begin(desk: Desk, name: str = "run") -> None:
    desk.session.start(desk.config, FakeRun(desk.runs_dir / name))


async def until(pilot: Pilot[Any], condition: Callable[[], Any], tries: int = 500) -> None:
    """Let the app go on until something is so. Counted in looks, not seconds: a loaded machine may stand still."""
    for _look in range(tries):
        if condition():
            return
        await pilot.pause(0.02)
    raise AssertionError("did not happen")


def screen_text(app: GptApp) -> str:
    """What is on the screen, row by row."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())
