"""The few flags through which a person steers a running training.

Whoever holds the ``Control`` may set them from any thread or signal handler; the loop reads them once per
step. Nothing else ever reaches into a running training.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from .config import Config
    from .tokenizer import Tokenizer


@dataclass(frozen=True)
class LiveCopy:
    """What is being learnt, copied between two steps: nobody's use of it touches the training."""

    weights: dict[str, Tensor]
    config: Config
    tokenizer: Tokenizer
    step: int


class Stopped(Exception):
    """A stop was asked for before the first step."""


class Control:
    """Flags read by the training loop once per step, and the number of the step."""

    def __init__(self) -> None:
        self.stop: str = ""
        """Why to stop ('' to go on): 'user', 'SIGINT', 'SIGTERM'."""
        self.discard: bool = False
        """With ``stop``: leave without saving."""
        self.save_now: bool = False
        self.step: int = 0
        """Steps made, written by the loop for those who look on: its events come only every log interval."""
        self._running = threading.Event()
        self._running.set()
        self._lock = threading.Lock()
        self._updates: dict[str, Any] = {}
        self._copies: list[Future[LiveCopy]] = []

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

    def look(self) -> None:
        """Whoever prepares a training asks now and then. Raises ``Stopped`` where a stop has been asked for."""
        if self.stop:
            raise Stopped

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

    def request_copy(self) -> Future[LiveCopy]:
        """Ask for a copy of the weights; the loop makes it at the next step boundary, also while paused."""
        future: Future[LiveCopy] = Future()
        with self._lock:
            self._copies.append(future)
        return future

    def take_copy_requests(self) -> list[Future[LiveCopy]]:
        """The requests since the last call that nobody has cancelled."""
        if not self._copies:
            return []
        with self._lock:
            taken, self._copies = self._copies, []
        return [future for future in taken if future.set_running_or_notify_cancel()]
