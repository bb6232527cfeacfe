"""Finding a run that another process trains: by its lock, without reading it and without torch."""

from __future__ import annotations

import os
import time
from pathlib import Path

from core.lock import FolderLock

RECENT_SECONDS = 3600.0
"""Nobody looks at the lock of a run in which nothing was written for longer: looking takes it for a moment."""
MOST_LOCKS = 5


def trained_elsewhere(folder: Path) -> Path | None:
    """The run of ``folder`` that is being trained, the one written to last; None where there is none.

    For an app that trains nothing itself: its own run would be found as well.
    """
    try:
        runs = [path for path in folder.iterdir() if (path / "lock").is_file()]
    except OSError:
        return None
    oldest = time.time() - RECENT_SECONDS
    changed = sorted(((last_change(path), path) for path in runs), reverse=True)
    for when, path in changed[:MOST_LOCKS]:
        if when >= oldest and FolderLock(path / "lock").is_held():
            return path
    return None


def age_of(folder: Path) -> float | None:
    """Seconds since a checkpoint's folder was written; None where it is not there."""
    try:
        return max(0.0, time.time() - os.stat(folder).st_mtime)
    except (OSError, ValueError):
        return None


def last_change(run: Path) -> float:
    """When a run was last written to, in seconds since 1970; 0 where nothing of one is there."""
    for name in ("metrics.jsonl", "config.yaml"):
        try:
            return os.stat(run / name).st_mtime
        except OSError:
            continue
    return 0.0
