"""The few flags through which a person steers a running training.

Whoever holds the ``Control`` may set them from any thread or signal handler; the loop reads them once per
step. Nothing else ever reaches into a running training.
"""

from __future__ import annotations

import threading
from typing import Any


class Control:
    """Flags read by the training loop once per step."""

    def __init__(self) -> None:
        self.stop: str = ""
        """Why to stop ('' to go on): 'user', 'SIGINT', 'SIGTERM'."""
        self.discard: bool = False
        """With ``stop``: leave without saving."""
        self.save_now: bool = False
        self._running = threading.Event()
        self._running.set()
        self._lock = threading.Lock()
        self._updates: dict[str, Any] = {}

    @property
    def paused(self) -> bool:
        return not self._running.is_set()

    def pause(self) -> None:
        self._running.clear()

    def resume(self) -> None:
        self._running.set()

    def request_stop(self, reason: str = "user", *, discard: bool = False) -> None:
        """Ask for a stop after the current step; a paused training wakes up for it."""
        self.discard = discard
        self.stop = reason
        self._running.set()

    def wait_while_paused(self, timeout: float) -> bool:
        """Block for at most ``timeout`` seconds while paused. True once running again."""
        return self._running.wait(timeout)

    def update(self, key: str, value: Any) -> None:
        """Ask for a new value of a setting that may change during a run, e.g. ``training.lr``."""
        with self._lock:
            self._updates[key] = value

    def take_updates(self) -> dict[str, Any]:
        """The changes asked for since the last call, in the order they were made."""
        if not self._updates:  # no lock on the hot path: a miss is read one step later
            return {}
        with self._lock:
            taken, self._updates = self._updates, {}
        return taken
