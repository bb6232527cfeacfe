"""A plot of lines over steps: which of them are shown, the axes, the cursor, the mouse.

Points are thinned to two per column, and a picture is kept until something in it changes.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence

from textual.content import Content
from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.message import Message
from textual.widget import Widget

from core.text import cell_width, printable, shorten

from ..curves import (
    Point,
    Series,
    brief,
    decimate,
    ema,
    log_ticks,
    nearest,
    span_of,
    ticks,
    to_log,
    within,
)  # fmt: skip
from ..i18n import _
from .canvas import Cell, Interval, draw

#: Share of the steps that 'recent' shows, and how many at least.
RECENT_SHARE, RECENT_LEAST = 0.2, 50


class Plot(Widget, can_focus=True):
    """Lines over steps, with a cursor that reads out their values.

    Its upper border carries the title and the legend, or the read-out in place of the legend.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    Plot {
        text-wrap: nowrap;
        border-title-color: $foreground;
    }
    """

    class Picked(Message):
        """Someone clicked into the plot: it is the one that keys are meant for."""

        def __init__(self, plot: Plot) -> None:
            super().__init__()
            self.plot = plot

    def __init__(self, title: str, *, log_y: bool = False, empty: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self._title = title
        self._empty = empty
        self._series: tuple[Series, ...] = ()
        self._version: Hashable = None
        self._picture: tuple[Hashable, list[Content]] | None = None
        self._gutter = 0
        self.smoothing = 0.0
        self.log_y = log_y
        self.recent = False
        self.zoom: Interval | None = None
        self.cursor: float | None = None
        self.cost = 0.0
        """Seconds of computing that the newest picture took."""

    # -- what is shown ----------------------------------------------------------------------------------------

    def show(self, series: Sequence[Series], version: Hashable) -> None:
        """Show these lines; nothing happens while ``version`` is the same."""
        if version != self._version:
            self._series, self._version = tuple(series), version
            self._changed()

    def set_view(self, **values: object) -> None:
        """Change ``smoothing``, ``log_y``, ``recent``, ``zoom`` or ``cursor``; draws anew only if one differs."""
        before = (self.smoothing, self.log_y, self.recent, self.zoom, self.cursor)
        for name, value in values.items():
            setattr(self, name, value)
        if before != (self.smoothing, self.log_y, self.recent, self.zoom, self.cursor):
            self._changed()

    def _changed(self) -> None:
        self.border_title = self._legend() if self.cursor is None else self._read_out(self.cursor)
        self.refresh()

    def on_mount(self) -> None:
        self._changed()

    def _legend(self) -> Content:
        parts: list[tuple[str, str] | str] = [(self._title, "bold")]
        told = self._series if len(self._series) > 1 or not self._series or self._series[0].name != self._title else ()
        for series in told:
            sign = series.marker or ("·⠤" if series.smooth and self.smoothing else "⠤")
            parts.append((f"  {sign} {printable(series.name)}", series.style))
        notes = [_("log axis")] if self.log_y else []
        if self.smoothing and any(series.smooth for series in self._series):
            notes.append(f"EMA {self.smoothing:g}")
        if self.zoom is not None:
            notes.append(_("zoomed"))
        elif self.recent:
            notes.append(_("recent"))
        if notes:
            parts.append(("  " + " · ".join(notes), "dim"))
        return Content.assemble(*parts)

    # -- the view: which steps, which values ------------------------------------------------------------------

    def extent(self) -> Interval | None:
        """First and last x of all lines."""
        ends = [(s.points[0][0], s.points[-1][0]) for s in self._series if s.points]
        if not ends:
            return None
        low, high = min(e[0] for e in ends), max(e[1] for e in ends)
        return (low, high) if high > low else (low - 0.5, high + 0.5)

    def window(self) -> Interval | None:
        """The x that are shown."""
        whole = self.extent()
        if whole is None:
            return None
        if self.zoom is not None:
            low, high = max(whole[0], self.zoom[0]), min(whole[1], self.zoom[1])
            return (low, high) if high > low else whole
        if self.recent:
            return max(whole[0], whole[1] - max(RECENT_LEAST, RECENT_SHARE * (whole[1] - whole[0]))), whole[1]
        return whole

    def zoom_by(self, factor: float) -> None:
        """Show ``factor`` times as many steps around the cursor or, without one, up to the newest."""
        window, whole = self.window(), self.extent()
        if window is None or whole is None:
            return
        width = (window[1] - window[0]) * factor
        if width >= whole[1] - whole[0]:
            self.set_view(zoom=None, recent=False)
            return
        width = max(width, 4.0)
        middle = window[1] - width / 2 if self.cursor is None else self.cursor
        low = min(max(whole[0], middle - width / 2), whole[1] - width)
        self.set_view(zoom=(low, low + width))

    def move_cursor(self, cells: int) -> None:
        """Move the read-out by so many columns; the first move puts it at the newest step."""
        window, canvas = self.window(), max(1, self.size.width - self._gutter)
        if window is None:
            return
        if self.cursor is None:
            self.set_view(cursor=window[1])
            return
        step = (window[1] - window[0]) / canvas
        whole = self.extent() or window
        at = min(whole[1], max(whole[0], self.cursor + cells * step))
        if self.zoom is not None and not window[0] <= at <= window[1]:
            self.zoom = (self.zoom[0] + cells * step, self.zoom[1] + cells * step)
        self.set_view(cursor=at)

    def _read_out(self, cursor: float) -> Content:
        """The values at the cursor; in brackets the average, if one is drawn."""
        parts: list[tuple[str, str] | str] = [(self._title, "bold")]
        first = ""
        for series in self._series:
            point = nearest(series.points, cursor)
            if point is None:
                continue
            at = f"{point[0]:g}"
            if not first:
                parts.append((f" @{at}", "bold"))
                first = at
            value = brief(point[1])
            if series.smooth and self.smoothing:
                mean = nearest(ema(series.points, self.smoothing), cursor)
                value += f" ({brief(mean[1])})" if mean else ""
            value += f" @{at}" if at != first else ""
            name = f"{shorten(printable(series.name), 16)} " if series.name != self._title else ""
            parts.append((f"  {name}{value}", series.style))
        return Content.assemble(*parts)

    # -- the picture ------------------------------------------------------------------------------------------

    def render(self) -> Content:
        width, height = self.size
        if width < 12 or height < 2:
            return Content("")
        smoothing = self.smoothing if any(series.smooth for series in self._series) else 0.0
        key = (self._version, width, height, smoothing, self.log_y, self.recent, self.zoom)
        if self._picture is None or self._picture[0] != key:
            begin = time.thread_time()
            self._picture = (key, self._rows(width, height))
            self.cost = time.thread_time() - begin
        rows = self._picture[1]
        column = self._cursor_column(width)
        if column is not None:
            rows = [_with_cursor(row, column) for row in rows[:-1]] + rows[-1:]
        return Content("\n").join(rows)

    def _cursor_column(self, width: int) -> int | None:
        window = self.window()
        if self.cursor is None or window is None or not window[0] <= self.cursor <= window[1]:
            return None
        canvas = width - self._gutter
        return self._gutter + min(canvas - 1, int((self.cursor - window[0]) / (window[1] - window[0]) * canvas))

    def _rows(self, width: int, height: int) -> list[Content]:
        """All rows: the values at the left, the lines, and the steps in the last row."""
        window = self.window()
        lines = self._lines(window, width) if window is not None else []
        y = span_of([p[1] for points, _marker, _style in lines for p in points])
        if window is None or y is None:
            self._gutter = 0
            text = shorten(self._empty or _("no points yet"), width - 2)
            blank = [Content("")] * height
            blank[height // 2] = Content.styled(" " * ((width - sum(map(cell_width, text))) // 2) + text, "dim")
            return blank
        tall = height - 1
        make_ticks = log_ticks if self.log_y else ticks
        marks = [(t, self._y_label(t)) for t in make_ticks(*y, min(8, max(2, tall // 2)))]
        gutter = max((len(label) for _tick, label in marks), default=0) + 1
        self._gutter = gutter
        canvas = draw([(points, marker) for points, marker, _style in lines], width - gutter, tall, window, y)
        labels = {tall - 1 - min(tall - 1, int((t - y[0]) / (y[1] - y[0]) * tall)): label for t, label in marks}
        styles = ["", *(style for _points, _marker, style in lines)]
        rows = []
        for number, cells in enumerate(canvas):
            label = labels.get(number, "")
            parts = [(label.rjust(gutter - 1), "dim"), ("┤" if label else "│", "dim")]
            rows.append(Content.assemble(*parts, *_joined(cells, styles)))
        rows.append(Content.styled(_x_labels(window, width, gutter), "dim"))
        return rows

    def _lines(self, window: Interval, width: int) -> list[tuple[list[Point], str, str]]:
        """What is drawn, back to front: (points, marker, style)."""
        behind, front = [], []
        for series in self._series:
            smooth = series.smooth and self.smoothing > 0.0
            raw = self._scaled(series.points, window, width)
            if smooth:
                behind.append((raw, "·", f"{series.style} dim"))
                front.append((self._scaled(ema(series.points, self.smoothing), window, width), "", series.style))
            else:
                front.append((raw, series.marker, series.style))
                if series.marker and len(raw) > 1:
                    behind.append((raw, "", f"{series.style} dim"))
        return behind + front

    def _scaled(self, points: Sequence[Point], window: Interval, width: int) -> list[Point]:
        inside = decimate(within(points, *window), *window, width)
        return to_log(inside) if self.log_y else inside

    def _y_label(self, value: float) -> str:
        return brief(10.0**value) if self.log_y else brief(value)

    # -- the mouse --------------------------------------------------------------------------------------------

    def on_click(self, event: Click) -> None:
        window = self.window()
        canvas = self.size.width - self._gutter
        offset = event.get_content_offset(self)
        if window is not None and offset is not None and offset.x >= self._gutter and canvas > 0:
            share = (offset.x - self._gutter + 0.5) / canvas
            self.set_view(cursor=window[0] + share * (window[1] - window[0]))
        self.post_message(self.Picked(self))

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        event.stop()
        self.zoom_by(0.7)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        event.stop()
        self.zoom_by(1 / 0.7)


def _joined(cells: Sequence[Cell], styles: Sequence[str]) -> list[tuple[str, str]]:
    """Neighbouring cells of one series as one piece of text."""
    pieces: list[tuple[str, str]] = []
    text, current = "", 0
    for char, number in cells:
        if number != current and text:
            pieces.append((text, styles[current]))
            text = ""
        current = number
        text += char
    return [*pieces, (text, styles[current])]


def _with_cursor(row: Content, column: int) -> Content:
    """The row with its column marked: a bar where nothing is drawn, reversed where something is."""
    if column >= len(row.plain):
        return row
    char = row[column : column + 1]
    middle = Content.styled("│", "bold") if char.plain == " " else char.stylize("reverse bold")
    return Content.assemble(row[:column], middle, row[column + 1 :])


def _x_labels(window: Interval, width: int, gutter: int) -> str:
    """The last row: round steps under their columns."""
    canvas = width - gutter
    row = [" "] * width
    free = 0
    for tick in ticks(*window, max(3, canvas // 11)):
        if tick != round(tick):  # there is no half a step
            continue
        label = brief(tick)
        begin = gutter + int((tick - window[0]) / (window[1] - window[0]) * canvas) - len(label) // 2
        begin = min(max(begin, gutter - 1), width - sum(map(cell_width, label)))
        if begin >= free:
            row[begin : begin + len(label)] = label
            free = begin + len(label) + 1
    return "".join(row)
