"""The training's clock: seconds trained, tokens a second, and how long it still takes."""

from __future__ import annotations

import time
from collections import deque

from .disk import Disk

WARM_STEPS = 5  # the first steps allocate memory and would make every estimate of the time left too long
#: What is left is told by this last part of the time: others on the machine come and go. It holds evaluations in the
#: same proportion as the rest, which a window of some seconds would not.
LAST_PART = 0.5


class Pace:
    """A clock that stands still while the training waits for room on the disk."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._began = time.perf_counter()
        self.start(0)

    def start(self, step: int, before: float = 0.0) -> None:
        """Of the loop, before the step after ``step``; ``before``: seconds trained by then."""
        self._first_step, self._before = step, before
        self._lap = self._now()
        self._warm = 0.0  # elapsed after the first steps
        self._marks: deque[tuple[float, float]] = deque()  # (elapsed, share) since then, some 35 of the last part
        self._seconds, self._tokens = 0.0, 0  # in steps of this log interval

    def total(self) -> float:
        """Seconds since the training began, pauses and preparations included; of earlier starts those trained."""
        return time.perf_counter() - self._began + self._before

    def lap(self) -> float:
        """Seconds since the last lap."""
        before, self._lap = self._lap, self._now()
        return self._lap - before

    def begin_step(self) -> None:
        self._step_began = time.perf_counter()

    def end_step(self, tokens: int) -> None:
        self._seconds += time.perf_counter() - self._step_began
        self._tokens += tokens

    def take_rate(self) -> float:
        """Tokens per second in the steps since the last call."""
        rate = self._tokens / self._seconds if self._seconds > 0 else 0.0
        self._seconds, self._tokens = 0.0, 0
        return rate

    def restart(self) -> None:
        """The budget has changed, or steps are made again: what was used of it by now says nothing about the rest."""
        self._marks.clear()

    def eta(self, step: int, elapsed: float, share: float) -> float | None:
        """Seconds left when ``share`` (0..1) of the budget is used, at the rate of the last part of the time since the
        first steps; None before that. To be asked after every step."""
        marks = self._marks
        if not marks:
            if step - self._first_step >= WARM_STEPS:
                self._warm = elapsed
                marks.append((elapsed, share))
            return None
        trained = elapsed - self._warm
        while len(marks) > 1 and marks[1][0] <= elapsed - LAST_PART * trained:
            marks.popleft()
        began, share_then = marks[0]
        if elapsed - marks[-1][0] >= 0.02 * trained:
            marks.append((elapsed, share))
        return (elapsed - began) * (1.0 - share) / (share - share_then) if share > share_then else None

    def _now(self) -> float:
        return time.perf_counter() - self._disk.waited
