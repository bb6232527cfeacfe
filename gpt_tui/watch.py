"""Following a run through its ``metrics.jsonl``, whichever process writes it.

``Tail`` turns a growing file into events; ``WatchSource`` keeps the ``Snapshot`` of a run from them, as
``Session`` does of the app's own training. Nothing here imports torch: a watcher opens at once.
"""

from __future__ import annotations

import json
import math
import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from core.errors import RunError, UserError
from core.events import KINDS, Event, Notice, Saved, Started, State, from_json
from core.lock import FolderLock
from core.storage import open_regular
from core.text import printable

from .console import lines
from .elsewhere import age_of, last_change
from .failure import Failure, explain
from .history import History, Snapshot
from .i18n import _

CHUNK = 1 << 20
"""Bytes read at a time, so that a long run shows its first points before its last are read."""
MAX_LINE = 1_000_000
"""A longer line is damage (``core.runs`` reads no longer ones either)."""
OVERLAP = 128
"""Bytes before the reading point that are compared again: a file that was replaced differs there."""

_FORMATTED = re.compile(r"\{[^{}]*[^{}\w]")


@dataclass(frozen=True)
class Batch:
    """What one look at the file brought."""

    events: list[Event]
    more: bool = False
    """There is more to read at once."""


class Tail:
    """Reads on in a file of events.

    - A last line still being written waits for its end.
    - A resume replaces the file by one that keeps what happened before the checkpoint: what was read before is
      not told again, only what is new from the next ``Started`` on.
    - A line that is damaged, or whose values are not of the kinds that the event declares, is passed over: what
      comes out of here can be shown without a check.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._before = b""  # the last bytes in front of the offset
        self._inside_long_line = False
        self._begun: set[float] = set()  # when each training of this run began that was told of
        self._waiting_for_start = False

    def poll(self) -> Batch:
        """Events since the last call. Raises ``RunError`` when the file is no regular readable file."""
        try:
            size = os.stat(self.path).st_size
        except (FileNotFoundError, NotADirectoryError):  # not begun yet, or deleted
            size = 0
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or str(problem)
            raise RunError("{path}: cannot be read: {reason}", path=str(self.path), reason=reason) from None
        if not size:
            if self._offset:
                self._start_again()
            return Batch([])
        with open_regular(self.path, RunError) as file:
            if self._offset and not self._is_the_same(file):
                self._start_again()
            file.seek(self._offset)
            data = file.read(CHUNK)
        return Batch([event for event in self._take(data) if self._is_new(event)], more=len(data) == CHUNK)

    def _is_the_same(self, file: Any) -> bool:
        file.seek(self._offset - len(self._before))
        return bool(file.read(len(self._before)) == self._before)

    def _start_again(self) -> None:
        self._offset, self._before, self._inside_long_line = 0, b"", False
        self._waiting_for_start = bool(self._begun)

    def _is_new(self, event: Event) -> bool:
        if isinstance(event, Started) and event.time not in self._begun:
            self._begun.add(event.time)
            self._waiting_for_start = False
        return not self._waiting_for_start

    def _take(self, data: bytes) -> list[Event]:
        """The events of the whole lines in ``data``; moves the offset behind them."""
        end = data.rfind(b"\n") + 1
        used = end
        if not end:
            if len(data) < MAX_LINE:
                return []
            self._inside_long_line = True  # its rest is thrown away up to the next line feed
            used = len(data)
        self._before = (self._before + data[max(0, used - OVERLAP) : used])[-OVERLAP:]
        self._offset += used
        whole = data[:end].split(b"\n")[:-1]
        if whole and self._inside_long_line:
            whole, self._inside_long_line = whole[1:], False
        return [event for line in whole if (event := parse_line(line)) is not None]


def parse_line(line: bytes) -> Event | None:
    """The event of one line; None where it is damaged, unknown, or its values are not of the declared kinds."""
    if len(line) > MAX_LINE:
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    event = from_json(value) if isinstance(value, dict) else None
    return event if event is not None and well_typed(event) and can_be_said(event) else None


def can_be_said(event: Event) -> bool:
    """Whether the console has words for it: the values inside ``data``, ``parts`` and templates are checked so."""
    if isinstance(event, Notice) and _FORMATTED.search(event.template):
        return False  # "{x:999999999}" would fill the memory; no notice of the engine formats its values
    try:
        for _line in lines(event):
            pass
    except (KeyError, IndexError, AttributeError, TypeError, ValueError, ArithmeticError):
        return False
    return True


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _is_float(value: Any) -> bool:
    return (isinstance(value, float) and not math.isinf(value)) or _is_int(value)


def _optional(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


#: How a field's annotation is checked. ``core.events`` uses no others; a test holds the two together.
CHECKS: dict[str, Callable[[Any], bool]] = {
    "int": _is_int,
    "float": _is_float,
    "str": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "dict[str, Any]": lambda value: isinstance(value, dict),
    "int | None": _optional(_is_int),
    "float | None": _optional(_is_float),
    "str | None": _optional(lambda value: isinstance(value, str)),
}


def well_typed(event: Event) -> bool:
    """Whether every field holds what its annotation says; a file may hold anything."""
    return all(CHECKS[str(field.type)](getattr(event, field.name)) for field in fields(KINDS[event.kind]))


class WatchSource:
    """The snapshot of a run that another process trains, or that has ended: read only, from its file."""

    POLL_SECONDS = 0.5
    QUIET_SECONDS = 3.0
    """How long nothing must come before the lock is looked at: looking takes it for a moment."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        self._tail = Tail(path / "metrics.jsonl")
        self._lock = threading.Lock()
        self._history = History(clock, ticking=False, state="starting", run=path.name, run_path=path)
        self._caught_up = False
        self._heard = -math.inf  # when something last came, or the lock was looked at
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def snapshot(self) -> Snapshot:
        """The run as far as it has been read; may be called from any thread, at any rate."""
        with self._lock:
            return self._history.snapshot(live=False)

    def start(self) -> WatchSource:
        """Read along in a thread of its own until ``close``."""
        self._thread = threading.Thread(target=self._follow, name="watch", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        self._closed.set()

    def _follow(self) -> None:
        while not self._closed.is_set():
            more = self.poll()
            self._closed.wait(0.01 if more else self.POLL_SECONDS)

    def poll(self) -> bool:
        """Take in what is new in the file; True if there is more to read at once."""
        try:
            batch = self._tail.poll()
        except UserError as problem:
            with self._lock:
                if self._history.failure is None:
                    self._history.fail(explain(problem))
            return False
        for event in batch.events:
            with self._lock:
                self._take(event)
        if not batch.more:
            with self._lock:
                self._look_for_the_writer(bool(batch.events))
        return batch.more

    def _take(self, event: Event) -> None:
        if isinstance(event, Started) and not event.resumed_step:
            # From the beginning: nothing of what was there before counts.
            old = self._history
            self._history = History(
                self._clock, ticking=old.ticking, version=old.version + 1, log=old.log, log_count=old.log_count
            )
        history = self._history
        history.failure = None
        history.take(event)
        # The path in the file is as its writer saw it, perhaps from another folder or machine.
        history.run, history.run_path = self.path.name, self.path
        if isinstance(event, Saved) and event.tag == "last":
            history.saved_before(event, age_of(self.path / "checkpoints" / Path(event.path).name))

    def _look_for_the_writer(self, something_new: bool) -> None:
        """Once all is read: does the time go on, or has the process ended without a last word?"""
        history, now = self._history, self._clock()
        if something_new:
            self._heard = now
        if history.state in ("done", "failed") and not something_new and self._caught_up:
            return
        quiet = now - self._heard >= self.QUIET_SECONDS
        if self._caught_up and not quiet and not (something_new and not history.ticking):
            return
        self._caught_up, self._heard = True, now
        was_ticking, history.ticking = history.ticking, FolderLock(self.path / "lock").is_held()
        if history.state in ("done", "failed"):
            return
        if not history.ticking:
            self._say_that_it_ended()
        elif not was_ticking and history.state == "running":
            history.take(State("training", history.step))  # from now on the time counts

    def _say_that_it_ended(self) -> None:
        if self._history.started is None:
            cause = _("nothing has been recorded in this run")
        else:
            cause = _("the process that trained it has ended before the training was over")
        advice = _("Its train.log may say why. Go on with it: gpt-tui train --resume {run}").format(run=self.path.name)
        self._history.fail(Failure(cause, printable(advice)))


def find_path(runs_dir: str | None, name: str | None) -> Path:
    """The folder of a run by name or path, or of the one that changed last. Raises ``RunError``."""
    from .desk import runs_folder

    folder = runs_folder(runs_dir)
    try:
        found = [Path(name)] if name else list(folder.iterdir())
    except OSError:
        found = []
    candidates = [folder / name, *found] if name else sorted(found, key=last_change, reverse=True)
    for candidate in candidates:
        try:
            if (candidate / "config.yaml").is_file():
                return candidate
        except (OSError, ValueError):  # a name that cannot be one
            continue
    from core.runs import find_run  # imports torch: only to say what there is

    return find_run(folder, name).path
