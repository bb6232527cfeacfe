"""Losses of runs in one plot: those of a single run, or several laid over one another and told apart by letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.text import printable, shorten

from ..curves import Point, Series
from ..i18n import _
from .plot import Plot
from .run_table_data import Curve, RunRow

#: Signs and styles of the lines; a line is told by its letter, the colour only repeats it.
MARKS: tuple[tuple[str, str], ...] = (
    ("a", "$primary"), ("b", "$warning"), ("c", "$success"), ("d", "$error"),
    ("e", "$accent"), ("f", "$secondary"), ("g", "$foreground"), ("h", "$primary"),
)  # fmt: skip
SMOOTHINGS = (0.0, 0.6, 0.9)
NAME_CELLS = 20


@dataclass(frozen=True)
class Losses:
    """A run's points, copied: the reader goes on adding to its own."""

    train: tuple[Point, ...]
    valid: tuple[Point, ...]

    @classmethod
    def of(cls, curve: Curve) -> Losses:
        return cls(tuple(curve.train), tuple(curve.valid))


@dataclass
class LossView:
    """How the losses are shown; it outlives the widget."""

    by_train: bool = False
    """Of an overlay: the losses on training rows, not those on validation rows."""
    log: bool = False
    smoothing: float = SMOOTHINGS[1]

    def next_smoothing(self) -> None:
        self.smoothing = SMOOTHINGS[(SMOOTHINGS.index(self.smoothing) + 1) % len(SMOOTHINGS)]


class LossPlot(Plot):
    """A plot whose title says which loss it shows."""

    def show_single(self, row: RunRow, losses: Losses, view: LossView) -> None:
        """Both losses of one run."""
        series = [
            Series(f"{shorten(row.name, NAME_CELLS)} · {_('train')}", losses.train, "$success", smooth=True),
            Series(_("valid"), losses.valid, "$warning", "o"),
        ]
        self._show_all(series, _("loss"), view)

    def show_overlay(
        self, marks: Mapping[Path, tuple[str, str]], losses: Mapping[Path, Losses], view: LossView
    ) -> None:
        """One loss of several runs, in the order of their marks."""
        series = []
        for path, (mark, style) in marks.items():
            mine = losses.get(path, Losses((), ()))
            name = shorten(printable(path.name), NAME_CELLS)
            series.append(Series(name, mine.train if view.by_train else mine.valid, style, mark))
        self._show_all(series, _("training loss") if view.by_train else _("validation loss"), view)

    def show_none(self, view: LossView) -> None:
        self._show_all([], _("loss"), view)

    def _show_all(self, series: Sequence[Series], title: str, view: LossView) -> None:
        if title != self._title:
            self._title = title
            self._changed()
        self.set_view(log_y=view.log, smoothing=view.smoothing)
        version = tuple((s.name, s.marker, len(s.points), s.points[-1] if s.points else None) for s in series)
        self.show(series, (title, version))
