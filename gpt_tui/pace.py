"""How often the screen is drawn beside a training.

Drawing takes time from the training: both cores compute a step, and while one of them draws the other waits for it.
A drawing of the numbers takes about 4 ms, one of the plots 25 ms (120×40). So the screen is livelier while somebody
uses it, and calmer while it is only watched.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable

QUIET_AFTER = 4.0
"""Seconds without a key or the mouse after which the screen is only watched."""


class Pace:
    """Whether somebody is using the screen."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._touched = clock()

    def touch(self) -> None:
        """Somebody has pressed a key or moved the mouse."""
        self._touched = self.clock()

    @property
    def quiet(self) -> bool:
        """Nobody has for a while."""
        return self.clock() - self._touched >= QUIET_AFTER


class Beat:
    """When something is due to be drawn again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._state: Hashable = None
        self._last = -math.inf

    def due(self, state: Hashable, seconds: float) -> bool:
        """At once when ``state`` is another than the last time, else when ``seconds`` have gone by since."""
        now = self._clock()
        if state == self._state and now - self._last < seconds:
            return False
        self._state, self._last = state, now
        return True

    def forget(self) -> None:
        """The next time is due, whenever it comes."""
        self._state, self._last = None, -math.inf
