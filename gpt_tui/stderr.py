"""Keeping what C libraries print away from the screen: file descriptor 2 goes to a log while the app is open."""

from __future__ import annotations

import os
import threading
from pathlib import Path


class StderrSink:
    """Points file descriptor 2 at a file: at the app's own log, or at a run's while one is trained."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.path = home
        """The file that descriptor 2 points at now, or pointed at last."""
        self._lock = threading.Lock()
        self._original: int | None = None

    def open(self) -> None:
        """Begin: into the app's own log."""
        with self._lock:
            if self._original is None:
                self._original = os.dup(2)
                self._point(self.home)

    def to(self, path: Path) -> None:
        """From now on into this file, appended."""
        with self._lock:
            if self._original is not None:
                self._point(path)

    def back(self) -> None:
        """From now on into the app's own log again."""
        self.to(self.home)

    def close(self) -> None:
        """End: descriptor 2 is the original stream again."""
        with self._lock:
            if self._original is not None:
                os.dup2(self._original, 2)
                os.close(self._original)
                self._original = None

    def _point(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            target = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError:
            # Nowhere to write (a full disk, a folder of someone else): the screen must stay whole all the same.
            target = os.open(os.devnull, os.O_WRONLY)
        os.dup2(target, 2)
        os.close(target)
        self.path = path
