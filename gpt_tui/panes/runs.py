"""Runs: every run of the folder, their losses laid over one another, and what to do with one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import DataTable, Static

from core.text import shorten

from ..actions import key_bindings
from ..failure import explain
from ..format import size
from ..i18n import _
from ..messages import OpenInChat, StartTraining, TrainingEnded, TrainingStarted, WatchRun
from ..screens.confirm import Confirm
from ..widgets.run_table import RunTable
from ..widgets.run_table_actions import ACTIONS
from ..widgets.run_table_data import ORDERS, RunRow, RunsReader, folder_size, ordered
from ..widgets.run_table_line import DEFAULT_MARK, line_about
from ..widgets.run_table_plot import MARKS, LossPlot, LossView
from ..widgets.run_table_work import Found, delete, look
from .base import Pane

if TYPE_CHECKING:
    from ..desk import Desk
    from ..history import Snapshot

TICKS_BETWEEN_LOOKS = 6
"""Of half a second each."""


class RunsPane(Pane):
    """The table, a line about the chosen run, and the plot."""

    BINDINGS: ClassVar[list[BindingType]] = key_bindings(ACTIONS)

    @dataclass
    class Looked(Message):
        """The folder was read."""

        found: Found

    @dataclass
    class Deleted(Message):
        """A run is gone, or what kept it from going."""

        done: bool
        text: str

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._reader = RunsReader()
        self._found = Found()
        self._marked: list[Path] = []
        self._view = LossView()
        self._order = ORDERS[0]
        self._looking = self._look_again = self._ready = False
        self._ticks = 0
        self._note = ""

    def compose(self) -> ComposeResult:
        yield RunTable(id="runs-table")
        with Horizontal(id="runs-line"):
            yield Static("", id="runs-info", markup=False)
        yield LossPlot(_("loss"), id="runs-plot", empty=_("no losses recorded"))

    # -- reading ----------------------------------------------------------------------------------------------

    def shown(self) -> None:
        self.query_one(RunTable).focus()
        self._note = ""
        self.look()

    def tick(self, snapshot: Snapshot) -> None:
        self._ticks += 1
        if self._ticks % TICKS_BETWEEN_LOOKS == 0:
            self.look()

    @on(TrainingStarted)
    @on(TrainingEnded)
    def _training_changed(self, message: TrainingStarted | TrainingEnded) -> None:
        message.stop()
        if self._ready:  # once looked at; else the opening of the tab reads it all
            self.look()

    def look(self) -> None:
        """Read what has changed, in a thread; one look at a time."""
        if self._looking:
            self._look_again = True
            return
        self._looking, self._look_again = True, False
        wanted, folder, order, before = self._wanted(), self.desk.runs_dir, self._order, self._found

        def work() -> None:
            try:
                found = look(self._reader, folder, wanted, order)
            except Exception as problem:  # a fault is shown on the line below the table, and the next look comes
                found = Found(before.rows, before.losses, explain(problem).cause)
            self.post_message(self.Looked(found))

        self._do(work)

    def _do(self, work: Callable[[], object]) -> None:
        self.run_worker(work, thread=True, group="runs", exit_on_error=False)

    def _wanted(self) -> list[Path]:
        """Whose losses are to be shown: the marked runs', else the chosen one's."""
        if self._marked:
            return list(self._marked)
        return [self._chosen.path] if self._chosen else []

    @on(Looked)
    def _looked(self, message: Looked) -> None:
        message.stop()
        self._looking = False
        self._ready = True
        self._found = message.found
        there = {row.path for row in self._found.rows}
        self._marked = [path for path in self._marked if path in there]
        self._draw()
        if self._look_again:
            self.look()

    # -- showing ----------------------------------------------------------------------------------------------

    async def retranslate(self) -> None:
        chosen = self.query_one(RunTable).chosen if self._composed else None
        await super().retranslate()
        if chosen is not None:
            self.query_one(RunTable).wanted = str(chosen.path)
        if self._ready:
            self._draw()

    def on_resize(self) -> None:
        if self._ready and self._composed:
            self._draw_info()  # its text is cut to the width

    def _marks(self) -> dict[Path, tuple[str, str]]:
        return dict(zip(self._marked, MARKS, strict=False))

    @property
    def _composed(self) -> bool:
        """False before the first paint and for the moment in which another language composes the parts anew."""
        return bool(self.query(RunTable)) and bool(self.query(LossPlot))

    def _draw(self) -> None:
        if not self._composed:
            return
        self.refresh_bindings()
        table = self.query_one(RunTable)
        default = self._found.default
        star = {default[0]: (DEFAULT_MARK, "")} if default is not None else {}
        table.show(ordered(self._found.rows, self._order), {**star, **self._marks()})
        self._draw_info()
        self._draw_plot()

    def _draw_info(self) -> None:
        line = self.query_one("#runs-info", Static)
        row = self.query_one(RunTable).chosen
        told = self._note or line_about(self._found, row, self._order, self.desk.runs_dir)
        text = shorten(told, max(10, self.size.width - 2))
        if str(line.content) != text:
            line.update(Content(text))

    def _draw_plot(self) -> None:
        plot, losses = self.query_one(LossPlot), self._found.losses
        row = self.query_one(RunTable).chosen
        if self._marked:
            plot.show_overlay(self._marks(), losses, self._view)
        elif row is not None and row.path in losses:
            plot.show_single(row, losses[row.path], self._view)
        else:
            plot.show_none(self._view)

    @on(DataTable.RowHighlighted)
    def _moved(self, message: DataTable.RowHighlighted) -> None:
        message.stop()
        if not self._ready or not self._composed:
            return
        self._note = ""
        self._draw_info()
        self.refresh_bindings()
        if not self._marked:
            self._draw_plot()
            row = self.query_one(RunTable).chosen
            if row is not None and row.path not in self._found.losses:
                self.look()

    @on(DataTable.RowSelected)
    def _selected(self, message: DataTable.RowSelected) -> None:
        message.stop()
        self.action_ask()

    @on(RunTable.OrderAsked)
    def _order_asked(self, message: RunTable.OrderAsked) -> None:
        message.stop()
        self._order = message.order
        self._draw()

    @on(Deleted)
    def _deleted(self, message: Deleted) -> None:
        message.stop()
        self.notify(message.text, severity="information" if message.done else "warning", markup=False)
        self.look()

    def _say(self, text: str) -> None:
        """A line that stays until another run is looked at."""
        self._note = text
        if self._composed:
            self._draw_info()

    # -- doing ------------------------------------------------------------------------------------------------

    @property
    def _chosen(self) -> RunRow | None:
        return self.query_one(RunTable).chosen if self._composed else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        row = self._chosen
        if action in ("watch", "delete", "overlay"):
            return True if row is not None else None
        if action == "ask":
            return True if row is not None and row.can_answer else None
        if action == "go_on":
            return True if row is not None and row.state in ("stopped", "empty") else None
        if action == "clear":
            return True if self._marked else None
        return True

    def action_ask(self) -> None:
        row = self._chosen
        if row is None:
            return
        if not row.can_answer:
            self._say(_("{run} has no checkpoint that could answer").format(run=row.name))
            return
        self.post_message(OpenInChat(row.path))

    async def action_watch(self) -> None:
        row = self._chosen
        if row is None:
            return
        own = self.desk.session.snapshot().run_path if self.desk.session.active else None
        if own is not None and own.absolute() == row.path.absolute():
            self.post_message(WatchRun(None))  # this app trains it: the Train tab shows it, and can steer it
            await self.app.run_action("app.tab('train')")
        else:
            self.post_message(WatchRun(row.path))

    def action_go_on(self) -> None:
        row = self._chosen
        if row is not None:
            self.post_message(StartTraining(resume=row.path))

    def action_overlay(self) -> None:
        row = self._chosen
        if row is None:
            return
        if row.path in self._marked:
            self._marked.remove(row.path)
        elif len(self._marked) == len(MARKS):
            self._say(_("{n} runs are in the plot, more cannot be told apart").format(n=len(MARKS)))
            return
        else:
            self._marked.append(row.path)
        table = self.query_one(RunTable)
        self._draw()
        if table.cursor_row + 1 < table.row_count:
            table.move_cursor(row=table.cursor_row + 1, animate=False)
        self.look()

    def action_clear(self) -> None:
        self._marked.clear()
        self._draw()
        self.look()

    def action_loss(self) -> None:
        self._view.by_train = not self._view.by_train
        self._draw_plot()

    def action_log_y(self) -> None:
        self._view.log = not self._view.log
        self._draw_plot()

    def action_smoothing(self) -> None:
        self._view.next_smoothing()
        self._draw_plot()

    def action_zoom(self, factor: float) -> None:
        self.query_one(LossPlot).zoom_by(factor)

    def action_cursor(self, cells: int) -> None:
        self.query_one(LossPlot).move_cursor(cells)

    def action_maximize(self) -> None:
        large = not self.has_class("-plot-only")
        self.set_class(large, "-plot-only")
        (self.query_one(LossPlot) if large else self.query_one(RunTable)).focus()

    def action_back(self) -> None:
        """One after the other: the cursor, the zoom, the maximizing, the focus."""
        plot = self.query_one(LossPlot)
        if plot.cursor is not None:
            plot.set_view(cursor=None)
        elif plot.zoom is not None:
            plot.set_view(zoom=None)
        elif self.has_class("-plot-only"):
            self.action_maximize()
        else:
            self.query_one(RunTable).focus()

    def action_order(self) -> None:
        self._order = ORDERS[(ORDERS.index(self._order) + 1) % len(ORDERS)]
        self._draw()

    def action_look(self) -> None:
        self._note = ""
        self.look()

    def action_delete(self) -> None:
        row = self._chosen
        if row is None:
            return
        if row.state in ("running", "paused"):
            self._say(_("{run} is being trained; stop it first").format(run=row.name))
            return
        lines = [
            str(row.path.absolute()),
            _("{size} with all its checkpoints; this cannot be undone.").format(size=size(folder_size(row.path))),
        ]
        question = _("Delete the run {run}?").format(run=row.name)

        def answered(yes: bool | None) -> None:
            if yes:
                self._do(lambda: self.post_message(self.Deleted(*delete(row.path))))

        self.app.push_screen(Confirm(question, lines, _("Delete")), answered)
