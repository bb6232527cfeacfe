"""Every run of a folder with what a list shows of it, and its loss curves – read again only where files changed.

A look costs three ``stat`` calls a run. What a run's report or record holds beyond reason makes it 'damaged', never
an error of the list.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import UserError
from core.events import Eval, Event, RolledBack, Started, State, Step
from core.text import printable

from ..curves import Point
from ..i18n import _
from ..watch import Tail

if TYPE_CHECKING:
    from core.runs import Run

#: State and its sign; the word stands beside it.
SIGNS = {"running": "▶", "paused": "‖", "finished": "✓", "stopped": "■", "empty": "○", "damaged": "✗"}
MAX_POINTS = 20_000


@dataclass(frozen=True)
class RunRow:
    """One run as the table shows it; texts are safe, numbers are numbers."""

    path: Path
    name: str
    state: str
    recipe: str = ""
    parameters: int | None = None
    steps: int | None = None
    best_loss: float | None = None
    exact_rate: float | None = None
    seconds: float | None = None
    problem: str = ""
    changed: float = 0.0
    """Seconds since 1970."""

    @property
    def can_answer(self) -> bool:
        """Whether there may be a checkpoint to ask."""
        return self.state not in ("empty", "damaged")


@dataclass
class Curve:
    """The losses of a run so far."""

    train: list[Point] = field(default_factory=list)
    valid: list[Point] = field(default_factory=list)
    version: int = 0

    def take(self, event: Event) -> None:
        if isinstance(event, Step):
            self._add(self.train, event.step, event.loss)
        elif isinstance(event, Eval):
            self._add(self.valid, event.step, event.loss)
        elif isinstance(event, Started):
            self._forget_after(event.resumed_step)
        elif isinstance(event, RolledBack):
            self._forget_after(event.to_step)

    def _add(self, points: list[Point], step: int, loss: float) -> None:
        if points and points[-1][0] >= step:  # a plot wants rising steps, whatever the file says
            del points[next(i for i, p in enumerate(points) if p[0] >= step) :]
        points.append((step, loss))
        if len(points) > MAX_POINTS:
            half = MAX_POINTS // 2
            points[:half] = points[:half:2]
        self.version += 1

    def _forget_after(self, step: int) -> None:
        self.train = [point for point in self.train if point[0] <= step]
        self.valid = [point for point in self.valid if point[0] <= step]
        self.version += 1


class _Follower:
    """What the record of one run says, read as far as it goes."""

    def __init__(self, path: Path) -> None:
        self._tail = Tail(path / "metrics.jsonl")
        self.curve = Curve()
        self.parameters: int | None = None
        self.steps: int | None = None
        self.seconds: float | None = None
        self.best_loss: float | None = None
        self.paused = False

    def read(self) -> None:
        """Take in what is new. Raises ``RunError``."""
        more = True
        while more:
            batch = self._tail.poll()
            more = batch.more
            for event in batch.events:
                self.curve.take(event)
                if isinstance(event, Started):
                    self.parameters = event.parameters
                elif isinstance(event, Step):
                    self.steps, self.seconds = event.step, event.elapsed
                elif isinstance(event, Eval):
                    self.best_loss = _number(event.best)
                elif isinstance(event, State):
                    self.paused = event.state == "paused"


@dataclass
class _Known:
    signature: tuple[Any, ...]
    row: RunRow


class RunsReader:
    """Reads a folder of runs, again and again. For one thread at a time."""

    def __init__(self) -> None:
        self._known: dict[Path, _Known] = {}
        self._followers: dict[Path, _Follower] = {}
        self.read_runs = 0
        """How many runs were read since the beginning, for tests."""

    def look(self, folder: Path) -> list[RunRow]:
        """All runs, in no order. Raises ``OSError`` when the folder cannot be read."""
        from core.runs import Run

        found: dict[Path, _Known] = {}
        for run in map(Run, run_folders(folder)):
            signature = _signature(run.path)
            known = self._known.get(run.path)
            # A lock can be taken without a file changing only by the program that is about to write to one.
            if known is None or known.signature != signature or known.row.state in ("running", "paused"):
                known = _Known(signature, self._read(run, signature))
            found[run.path] = known
        for gone in self._followers.keys() - found.keys():
            del self._followers[gone]
        self._known = found
        return [known.row for known in found.values()]

    def curve(self, path: Path) -> Curve:
        """The losses of a run, up to now; empty where there is no record. Raises ``RunError``."""
        follower = self._follower(path)
        follower.read()
        return follower.curve

    def _follower(self, path: Path) -> _Follower:
        return self._followers.setdefault(path, _Follower(path))

    def _read(self, run: Run, signature: tuple[Any, ...]) -> RunRow:
        self.read_runs += 1
        changed = max((part[0] for part in signature if part), default=0) / 1e9
        name = printable(run.name)
        try:
            if run.lock.is_held():
                return self._running(run, name, changed)
            return _row(run, _summary(run), changed)
        except UserError as problem:
            from ..cli import say

            return RunRow(run.path, name, "damaged", problem=short_problem(run.path, say(problem)), changed=changed)
        except OSError as problem:
            text = short_problem(run.path, printable(str(problem)))
            return RunRow(run.path, name, "damaged", problem=text, changed=changed)
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as problem:
            reason = printable(f"{type(problem).__name__}: {problem}"[:200])
            text = _("its report is not one of this program: {reason}").format(reason=reason)
            return RunRow(run.path, name, "damaged", problem=text, changed=changed)

    def _running(self, run: Run, name: str, changed: float) -> RunRow:
        """A run that is being trained: its record grows, so it is read on, not again."""
        recipe = run.config().recipe
        follower = self._follower(run.path)
        follower.read()
        return RunRow(
            run.path, name, "paused" if follower.paused else "running", recipe, follower.parameters, follower.steps,
            follower.best_loss, None, follower.seconds, changed=changed,
        )  # fmt: skip


def _summary(run: Run) -> dict[str, Any]:
    from ..commands.runs import summary

    return summary(run)


def _row(run: Run, found: dict[str, Any], changed: float) -> RunRow:
    state = found.get("state")
    return RunRow(
        run.path, printable(run.name), state if state in SIGNS else "damaged",
        printable(found["recipe"]) if isinstance(found.get("recipe"), str) else "",
        _whole(found.get("parameters")), _whole(found.get("steps")), _number(found.get("best_loss")),
        _number(found.get("exact_rate")), _number(found.get("train_seconds")),
        short_problem(run.path, printable(str(found.get("problem") or ""))), changed,
    )  # fmt: skip


def short_problem(path: Path, text: str) -> str:
    """An error about a run without the long path that begins it: there is one line for it."""
    folder = printable(str(path))
    return text.replace(f"{folder}{os.sep}", "").replace(folder, printable(path.name))


def _number(value: Any) -> float | None:
    """A finite number of a size that means something, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1e15 or not math.isfinite(value):
        return None
    return float(value)


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and _number(value) is not None else None


def _signature(path: Path) -> tuple[Any, ...]:
    """Changes whenever the run does: time and size of the three files that say what it is."""
    parts: list[Any] = []
    for name in ("metrics.jsonl", "report.json", "config.yaml"):
        try:
            stat = os.stat(path / name)
        except (OSError, ValueError):
            parts.append(None)
        else:
            parts.append((stat.st_mtime_ns, stat.st_size))
    return tuple(parts)


def run_folders(folder: Path) -> list[Path]:
    """The folders in ``folder`` that are runs, or cannot be looked into; the newest first.

    As ``core.runs.list_runs``, but without torch, and one folder that is closed to us does not hide the others.
    Raises ``OSError`` when ``folder`` itself cannot be read.
    """
    if not folder.is_dir():
        return []
    found: list[tuple[float, str, Path]] = []
    for path in folder.iterdir():
        try:
            if not (path / "config.yaml").is_file():
                continue
        except OSError:
            if not path.is_dir():
                continue
        changed = max((part[0] for part in _signature(path) if part), default=0)
        found.append((-changed, path.name, path))
    return [path for _changed, _name, path in sorted(found)]


#: What the table can be ordered by, in turn.
ORDERS = ("newest", "best loss", "name")


def ordered(rows: Sequence[RunRow], order: str) -> list[RunRow]:
    """Rows in the order asked for; what has no value comes last."""
    if order == "best loss":
        return sorted(rows, key=lambda row: (row.best_loss is None, row.best_loss or 0.0, row.name))
    if order == "name":
        return sorted(rows, key=lambda row: row.name)
    return sorted(rows, key=lambda row: (-row.changed, row.name))


def folder_size(path: Path) -> int:
    """Bytes of all files below a folder; links are not followed."""
    total = 0
    for folder, _folders, files in os.walk(path):
        for name in files:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except OSError:  # deleted meanwhile
                continue
    return total
