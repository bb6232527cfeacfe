"""The table of runs: cells change in place, so nothing flickers and the cursor stays on its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import localtime, strftime

from rich.text import Text
from textual import on
from textual.message import Message
from textual.widgets import DataTable

from core.text import cell_width, pad, shorten

from ..format import duration, number, percent
from ..i18n import _
from .run_table_data import SIGNS, RunRow

#: Columns that order the table when their head is clicked on.
ORDER_OF = {"name": "name", "best": "best loss", "changed": "newest", "state": "newest"}
NAME_LEAST, NAME_MOST = 10, 44


def count(value: int | None) -> str:
    """A number of parameters in few cells: ``3.48M``."""
    if value is None:
        return "–"
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{unit}"
    return str(value)


def state_text(row: RunRow) -> str:
    return f"{SIGNS[row.state]} {_(row.state)}"


#: What each column holds. The words are English keys.
HEADS: dict[str, str] = {
    "mark": "", "name": "run", "state": "state", "recipe": "recipe", "parameters": "params", "steps": "steps",
    "best": "best loss", "exact": "exact", "time": "time", "changed": "changed",
}  # fmt: skip
RIGHT = frozenset({"parameters", "steps", "best", "exact", "time"})


def cells_of(row: RunRow) -> dict[str, str]:
    """A run's cells but for its mark; ``–`` where nothing is known."""
    return {
        "name": row.name, "state": state_text(row), "recipe": row.recipe or "–", "parameters": count(row.parameters),
        "steps": "–" if row.steps is None else str(row.steps), "best": number(row.best_loss),
        "exact": percent(row.exact_rate), "time": duration(row.seconds),
        "changed": strftime("%m-%d %H:%M", localtime(row.changed)) if row.changed else "–",
    }  # fmt: skip


def widths_for(rows: Sequence[RunRow], width: int) -> dict[str, int]:
    """Cells of each column; where there is little room, dates and steps go first, then the name is cut."""
    texts = [cells_of(row) for row in rows]

    def needed(key: str) -> int:
        return max([_cells(_(HEADS[key])), *(_cells(text[key]) for text in texts)])

    found = {"mark": 1, **{key: needed(key) for key in HEADS if key != "mark"}}
    found["recipe"] = min(found["recipe"], 16)
    gaps = len(found)
    found["name"] = min(NAME_MOST, max(found["name"], NAME_LEAST))
    for key, least in (("changed", 0), ("name", 24), ("steps", 0), ("recipe", 8), ("name", NAME_LEAST)):
        over = sum(found.values()) + gaps - width
        if over <= 0:
            break
        if not least:
            del found[key]
            gaps -= 1
        else:
            found[key] = max(min(least, found[key]), found[key] - over)
    return found


def _cells(text: str) -> int:
    return sum(map(cell_width, text))


class RunTable(DataTable[Text]):
    """Rows keyed by the path of their run."""

    @dataclass
    class OrderAsked(Message):
        order: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, cursor_type="row", zebra_stripes=False, cell_padding=0)
        self._rows: dict[str, RunRow] = {}
        self._marks: Mapping[Path, tuple[str, str]] = {}
        self._widths: dict[str, int] = {}
        self._shown: dict[tuple[str, str], Text] = {}
        self._order: list[str] = []
        self.wanted: str | None = None
        """The run to put the cursor on, once there is any."""

    @property
    def chosen(self) -> RunRow | None:
        """The run under the cursor."""
        if not self._order or not 0 <= self.cursor_row < len(self._order):
            return None
        return self._rows[self._order[self.cursor_row]]

    def show(self, rows: Sequence[RunRow], marks: Mapping[Path, tuple[str, str]]) -> None:
        """Show these runs in this order; ``marks`` are signs and styles of those in the plot."""
        self._rows, self._marks = {str(row.path): row for row in rows}, marks
        self._draw()

    def on_resize(self) -> None:
        if self._rows:
            self._draw()

    def _draw(self) -> None:
        if not self.size.width:
            return
        order = list(self._rows)
        widths = widths_for(list(self._rows.values()), self.size.width - 2)  # the scroll bar's cells
        cells = self._cells(widths)
        if order != self._order or widths != self._widths:
            self._build(order, widths, cells)
        else:
            for (key, column), text in cells.items():
                if text != self._shown.get((key, column)) or text.style != self._shown[key, column].style:
                    self.update_cell(key, column, text)
        self._shown = cells

    def _build(self, order: list[str], widths: dict[str, int], cells: dict[tuple[str, str], Text]) -> None:
        """All anew: other runs, another order, another width. The cursor stays on its run, the view where it was."""
        chosen, self.wanted = self.chosen_key or self.wanted, None
        top = self.scroll_y
        with self.app.batch_update():
            self.clear(columns=True)
            for column, width in widths.items():
                head = pad(_(HEADS[column]), width, right=column in RIGHT)
                self.add_column(Text(head), width=width + 1, key=column)
            for key in order:
                self.add_row(*(cells[key, column] for column in widths), key=key)
            self._order, self._widths = order, widths
            if chosen in order:
                self.move_cursor(row=order.index(chosen), animate=False)
            self.scroll_to(y=top, animate=False)

    @property
    def chosen_key(self) -> str | None:
        row = self.chosen if self._order and all(key in self._rows for key in self._order) else None
        if row is not None:
            return str(row.path)
        return self._order[self.cursor_row] if 0 <= self.cursor_row < len(self._order) else None

    def _cells(self, widths: dict[str, int]) -> dict[tuple[str, str], Text]:
        found: dict[tuple[str, str], Text] = {}
        for key, row in self._rows.items():
            for column, text in cells_of(row).items():
                if column in widths:
                    shown = pad(shorten(text, widths[column]), widths[column], right=column in RIGHT)
                    found[key, column] = Text(shown, style="bold" if column == "state" else "", no_wrap=True)
            sign = self._marks.get(row.path, ("", ""))[0]
            found[key, "mark"] = Text(sign or " ", style="bold")
        return found

    @on(DataTable.HeaderSelected)
    def _head_clicked(self, message: DataTable.HeaderSelected) -> None:
        message.stop()
        order = ORDER_OF.get(str(message.column_key.value))
        if order:
            self.post_message(self.OrderAsked(order))
