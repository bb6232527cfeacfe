"""Writes for which a full disk is a pause of the training, not its end."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TypeVar

import psutil

from ..control import Control
from ..events import Event, Notice, State

T = TypeVar("T")

TRY_AGAIN = 30.0  # seconds between attempts, where nobody asks for one and no room appears
LOOK = 0.25  # seconds between looks at the flags and at the free room
ROOM = 1_000_000  # bytes more than at the failure that are worth an attempt


class Disk:
    """Writes for which a full disk is a pause of the training, not its end."""

    def __init__(self, control: Control, folder: Path, meanwhile: Callable[[], None]) -> None:
        """``meanwhile`` is called several times a second while the training waits."""
        self._control, self._folder, self.meanwhile = control, folder, meanwhile
        self.waited = 0.0
        """Seconds of the training that were spent waiting."""

    def write(self, name: str, write: Callable[[], T], step: int) -> Generator[Event, None, T | None]:
        """Call ``write`` until it succeeds and return what it does; None when a stop was asked for before that.

        While there is no room the training is paused, with the reason in a notice; it tries again when someone
        lets it go on, when there is more room, and every ``TRY_AGAIN`` seconds. Raises any other ``OSError``.
        """
        paused_before, told, begin = self._control.paused, False, time.perf_counter()
        while True:
            try:
                result = write()
                break
            except OSError as problem:
                if not no_room(problem):
                    raise
                reason = reason_of(problem)
            if self._control.stop:
                self.waited += time.perf_counter() - begin if told else 0.0
                return None
            if not told or not self._control.paused:  # also when someone asked for an attempt
                yield Notice(
                    "{name} cannot be written: {reason}; the training waits, make room or stop it "
                    "(it tries again every {seconds} s)",
                    {"name": name, "reason": reason, "seconds": round(TRY_AGAIN)},
                    level="warning",
                )
                self._control.pause()
                yield State("paused", step)
                told = True
            self._wait()
        if told:
            self.waited += time.perf_counter() - begin
            if not paused_before:
                self._control.resume()
            yield Notice("{name} is written, there is room again", {"name": name})
            yield State("paused" if self._control.paused else "training", step)
        return result

    def _wait(self) -> None:
        """Until an attempt is worth it, or a stop is asked for."""
        free, end = self._free(), time.monotonic() + TRY_AGAIN
        while time.monotonic() < end and not self._control.stop:
            if self._control.wait_while_paused(LOOK) or self._free() > free + ROOM:
                return
            self.meanwhile()

    def _free(self) -> int:
        return int(psutil.disk_usage(str(self._folder)).free)


def no_room(problem: OSError | None) -> bool:
    """Whether the disk, or the user's share of it, is full."""
    return problem is not None and problem.errno in (errno.ENOSPC, errno.EDQUOT)


def reason_of(problem: OSError) -> str:
    """What the system says, without the path."""
    return problem.strerror or str(problem)
