"""Data: the doctor's report, the rows as the model sees them, and the tokenizer on any text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import ContentSwitcher, Select, Static

from core.errors import UserError
from core.events import Progress
from core.sources import CACHE
from core.text import printable, shorten

from ..actions import Action, key_bindings
from ..failure import explain
from ..i18n import _
from ..widgets.figures import task_text
from ..widgets.report import ReportText, summary_text
from ..widgets.report_data import Cancelled, DataView, data_key, gather
from ..widgets.run_table_data import run_folders
from ..widgets.token_row_pages import Look, RowPages, Switch
from ..widgets.token_row_try import TryTokenizer
from .base import Pane

if TYPE_CHECKING:
    from core.config import Config

    from ..desk import Desk

ACTIONS: tuple[Action, ...] = (
    Action("view('report')", "r", "Report", "What the doctor finds in the data; ! marks what wants attention."),
    Action("view('rows')", "w", "Rows", "The rows as the model sees them, token by token."),
    Action("view('try')", "t", "Tokenizer", "Try the tokenizer on any text."),
    Action("search", "slash", "Search", "Find rows with some words in them; #120 goes to row 120."),
    Action("page(1)", "n,pagedown,right", "Next", "The next page of rows.", footer=False),
    Action("page(-1)", "p,pageup,left", "Previous", "The page of rows before.", footer=False),
    Action("line(1)", "down", "Row down", "One row on.", footer=False),
    Action("line(-1)", "up", "Row up", "One row back.", footer=False),
    Action("edge('home')", "home", "First row", "To the first row.", footer=False),
    Action("edge('end')", "end", "Last row", "To the last row.", footer=False),
    Action("part", "v", "Train/valid", "Switch between the rows to train on and those to evaluate on."),
    Action("cut", "c", "Only cut", "Show only rows of which the model does not see all."),
    Action("ids", "i", "Ids", "Show the number of each token.", footer=False),
    Action("source", "s", "Whose data", "Choose the settings or the run whose data is shown.", footer=False),
    Action("reload", "f5", "Read again", "Read the files once more.", footer=False),
    Action("back", "escape", "Leave", "Leave the line one types in; take back a search."),
)
VIEWS = ("report", "rows", "try")
#: Actions that mean something only where rows are shown.
OF_ROWS = frozenset({"search", "part", "cut", "ids", "edge"})


class DataPane(Pane):
    """Three views of what some settings name as data: those being edited, or those of a run."""

    BINDINGS: ClassVar[list[BindingType]] = key_bindings(ACTIONS)

    @dataclass
    class Read(Message):
        """The data was read, or could not be."""

        turn: int
        view: DataView

    @dataclass
    class Fetching(Message):
        """How far the making or downloading of the data has come."""

        turn: int
        progress: Progress

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, DataPane.Fetching)

    @dataclass
    class Runs(Message):
        """The runs whose data can be chosen."""

        paths: list[Path]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._view: DataView | None = None
        self._open = VIEWS[0]
        self._look = Look()
        self._text: str | None = None
        self._source: Path | None = None
        self._runs: list[Path] = []
        self._key = ""
        self._turn = 0

    def compose(self) -> ComposeResult:
        with Horizontal(id="data-bar"):
            for name, word in (("report", _("Report")), ("rows", _("Rows")), ("try", _("Tokenizer"))):
                switch = Switch(word, id=f"data-to-{name}", markup=False)
                switch.set_class(name == self._open, "-open")
                yield switch
            yield Static("", id="data-file", markup=False)
            yield Select(self._options(), value=self._source or "", allow_blank=False, compact=True, id="data-source")
        with ContentSwitcher(initial=f"data-{self._open}", id="data-views"):
            with VerticalScroll(id="data-report"):
                yield ReportText(id="data-report-text")
            yield RowPages(self._look, id="data-rows")
            yield TryTokenizer(self._example(), id="data-try")

    def _example(self) -> str:
        """What the tokenizer is tried on at first: the first probe question."""
        if self._text is None:
            probes = self.desk.config.data.probes
            self._text = printable(probes[0].prompt, keep_newlines=True) if probes else ""
        return self._text

    def _options(self) -> list[tuple[Content, Path | str]]:
        own: list[tuple[Content, Path | str]] = [(Content(_("data of the settings")), "")]
        return own + [(Content(shorten(printable(path.name), 26)), path) for path in self._runs]

    # -- reading ----------------------------------------------------------------------------------------------

    def shown(self) -> None:
        super().shown()
        self._load()
        self.run_worker(self._list_runs, thread=True, group="data", exit_on_error=False)

    def on_unmount(self) -> None:
        self._turn += 1  # nobody waits for what is being read

    def _list_runs(self) -> None:
        """In a thread: the folder may be far away."""
        try:
            paths = run_folders(self.desk.runs_dir)
        except OSError:  # the Runs tab says what is wrong with the folder
            paths = []
        self.post_message(self.Runs(paths))

    @on(Runs)
    def _listed(self, message: Runs) -> None:
        message.stop()
        if message.paths != self._runs:
            self._runs = message.paths
            if not self._composed:
                return
            if self._source is not None and self._source not in self._runs:
                self._source = None
            select = self.query_one("#data-source", Select)
            with select.prevent(Select.Changed):
                select.set_options(self._options())
                select.value = self._source or ""

    def _load(self, force: bool = False) -> None:
        """Read the data in a thread, unless nothing has changed since the last time."""
        config, source = self.desk.config, self._source
        tokenizer_file = source / "tokenizer.json" if source else None
        key = f"{source} {data_key(config)}"
        if key == self._key and not force:
            return
        self._key = key
        self._turn += 1
        turn = self._turn
        self._wait(_("reading the data …"))
        self.query_one("#data-file", Static).update(Content(""))

        cache = self.desk.runs_dir / CACHE

        def work() -> None:
            try:
                settings = config if source is None else stored_config(source)
                view = gather(
                    settings, tokenizer_file, lambda: self._turn == turn,
                    cache=cache, tell=lambda progress: self.post_message(self.Fetching(turn, progress)),
                )  # fmt: skip
            except Cancelled:
                return
            except Exception as problem:  # whatever a file can do to the reading is shown in place of the page
                view = DataView(problem=explain(problem).cause)
            self.post_message(self.Read(turn, view))

        self.run_worker(work, thread=True, group="data", exit_on_error=False)

    def _wait(self, text: str) -> None:
        """What is there while the data is not."""
        self._view = None
        if self._composed:
            self.query_one(ReportText).wait(text)
            self.query_one(RowPages).wait(text)

    @on(Fetching)
    def _fetching(self, message: Fetching) -> None:
        message.stop()
        if message.turn == self._turn:
            self._wait(task_text(message.progress) + " …")

    @on(Read)
    def _read(self, message: Read) -> None:
        message.stop()
        if message.turn == self._turn:
            self._view = message.view
            self._show()

    @property
    def _composed(self) -> bool:
        """False for the moment in which another language composes the parts anew."""
        return all(self.query(part) for part in (ReportText, RowPages, TryTokenizer, "#data-bar"))

    def _show(self) -> None:
        view = self._view
        if view is None or not self._composed:
            return
        self.query_one(ReportText).show(view)
        rows = {"train": view.train, "valid": view.valid, "valid_unseen": view.unseen}
        found = {name: part for name, part in rows.items() if part is not None}
        if found or not view.problem:
            self.query_one(RowPages).show(found)
        else:
            self.query_one(RowPages).wait(f"✗ {view.problem}")
        self.query_one(TryTokenizer).show(view.tokenizer)
        self._show_file()

    def _show_file(self) -> None:
        """A word at the top about how the data is, whichever view is open."""
        view = self._view
        line = self.query_one("#data-file", Static)
        text = summary_text(view) if view else ""
        text = re.sub(r"^✗ /[^:：]*/", "✗ ", text)  # the folders are in the way of what is wrong with the file
        line.update(Content(shorten(text, max(1, line.size.width or 30))))

    async def retranslate(self) -> None:
        self._text = self.query_one(TryTokenizer).text
        await super().retranslate()
        self._key = ""  # the report is made of words
        if self._view is not None:
            self._show()
            self._load()

    # -- doing ------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "back":
            return not self.has_focus or bool(self._open == "rows" and self._look.words)
        if action in OF_ROWS and self._open != "rows":
            return False
        return not (action in ("page", "line") and self._open == "try")

    def action_view(self, name: str) -> None:
        self._open = name
        self.query_one("#data-views", ContentSwitcher).current = f"data-{name}"
        for other in VIEWS:
            self.query_one(f"#data-to-{other}").set_class(other == name, "-open")
        if name == "try":
            self.query_one(TryTokenizer).edit()
        else:
            self.focus()
        self.refresh_bindings()

    def action_page(self, by: int) -> None:
        if self._open == "rows":
            self.query_one(RowPages).page(by)
        else:
            report = self.query_one("#data-report", VerticalScroll)
            report.scroll_relative(y=by * max(1, report.size.height - 2), animate=False)

    def action_line(self, by: int) -> None:
        if self._open == "rows":
            self.query_one(RowPages).line(by)
        else:
            self.query_one("#data-report", VerticalScroll).scroll_relative(y=by, animate=False)

    def action_edge(self, which: str) -> None:
        pages = self.query_one(RowPages)
        if which == "home":
            pages.go(0)
        else:
            pages.end()

    def action_search(self) -> None:
        self.query_one(RowPages).search()

    def action_part(self) -> None:
        self.query_one(RowPages).toggle_part()

    def action_cut(self) -> None:
        self.query_one(RowPages).toggle_cut()

    def action_ids(self) -> None:
        self.query_one(RowPages).toggle_ids()

    def action_source(self) -> None:
        select = self.query_one("#data-source", Select)
        select.focus()
        select.action_show_overlay()

    def action_reload(self) -> None:
        self._load(force=True)

    def action_back(self) -> None:
        if self._open == "rows" and self.has_focus:
            self.query_one(RowPages).forget_search()
        self.focus()

    @on(Switch.Clicked)
    def _clicked(self, message: Switch.Clicked) -> None:
        message.stop()
        self.action_view(message.id.removeprefix("data-to-"))

    @on(RowPages.SearchLeft)
    def _search_left(self, message: RowPages.SearchLeft) -> None:
        message.stop()
        self.focus()

    @on(Select.Changed, "#data-source")
    def _chosen(self, message: Select.Changed) -> None:
        message.stop()
        source = message.value if isinstance(message.value, Path) else None
        if source != self._source:
            self._source = source
            self._load()
        if self.has_focus_within:  # not when another language composes the list anew, behind another tab
            self.focus()


def stored_config(path: Path) -> Config:
    """The settings of a run. Raises ``UserError``."""
    from core.runs import Run

    try:
        return Run(path).config()
    except OSError as problem:
        raise UserError("{problem}", problem=str(problem)) from None
