"""When a test may look at the app: as soon as nothing in its event loop is ready to run.

Textual's own pilot waits until the process has used less than a millisecond in twenty. Beside a thread that trains
that is a full second a key press, and on a machine that stands still it is over too soon.
"""

from __future__ import annotations

import asyncio

from textual._context import active_app

QUIET_LOOKS = 3
"""Turns of the loop in which nothing was ready: what is posted by call_soon comes one turn later."""
MOST_TURNS = 10_000


async def wait_for_idle(_min_sleep: float = 0.0, _max_sleep: float = 1.0) -> None:
    """Stands in for ``textual._wait.wait_for_idle``."""
    await quiet()
    app = active_app.get(None)
    if app is not None and app._screen_stack:
        app.screen._on_timer_update()  # lay out and paint now what the next sixtieth of a second would
        await quiet()


async def quiet() -> None:
    """Let everything happen that needs no time: no timer, no thread, no painting."""
    ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
    still = 0
    for _turn in range(MOST_TURNS):
        await asyncio.sleep(0)
        still = 0 if ready else still + 1
        if still == QUIET_LOOKS:
            return
