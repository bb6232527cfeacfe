"""Paging through rows: as many as fit on the screen, all of them, those that were cut, or those with some words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, Static

from ..failure import explain
from ..i18n import _
from .chat_prompt import SafeInput
from .token_row import RowText, row_lines
from .token_rows import Row, Rows

SEARCH_DELAY = 0.25
"""Seconds without a key after which a search begins."""


@dataclass
class Look:
    """What of the rows is looked at; it outlives the widgets."""

    part: str = "train"
    words: str = ""
    only_cut: bool = False
    ids: bool = False
    top: int = 0
    """Place of the first row on the page among ``numbers``."""
    numbers: Sequence[int] | None = None
    """The rows that are paged through; None: all."""


def select(rows: Rows, words: str, only_cut: bool, wanted: Callable[[], bool]) -> list[int] | None:
    """The rows with ``words`` in them, or that were cut; None when nobody waits for them any more."""
    found = []
    for number in range(len(rows)):
        if number % 256 == 0 and not wanted():
            return None
        if (not words or rows.matches(number, words)) and (not only_cut or rows.is_cut(number)):
            found.append(number)
    return found


class Switch(Static):
    """A word that can be clicked on."""

    ALLOW_SELECT = False

    @dataclass
    class Clicked(Message):
        id: str

    def on_click(self, event: Click) -> None:
        event.stop()
        self.post_message(self.Clicked(self.id or ""))


class RowPages(Vertical):
    """The line with what is looked at, the page, and the legend."""

    @dataclass
    class Selected(Message):
        """A search is over."""

        turn: int
        numbers: list[int]
        problem: str = ""

    class SearchLeft(Message):
        """Enter in the search line: the keys are for paging again."""

    def __init__(self, look: Look, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.look = look
        self._rows: dict[str, Rows] = {}
        self._page: list[Row] = []
        self._turn = 0
        self._timer: Timer | None = None
        self._searching = False
        self._problem = ""
        self._waiting = ""

    def compose(self) -> ComposeResult:
        with Horizontal(id="rows-bar"):
            yield Switch("", id="rows-part", markup=False)
            yield Switch("", id="rows-cut", markup=False)
            yield SafeInput(
                self.look.words, placeholder=_("search, or #120 for a row"), compact=True, id="rows-search",
                select_on_focus=False,
            )  # fmt: skip
            yield Static("", id="rows-place", markup=False)
        with VerticalScroll(id="rows-page", can_focus=False):
            yield RowText(id="rows-text")
        yield Static("", id="rows-legend", markup=False)

    def on_mount(self) -> None:
        self._draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    # -- what is shown ----------------------------------------------------------------------------------------

    def show(self, rows: dict[str, Rows]) -> None:
        """Page through these rows: by 'train', 'valid' and 'valid_unseen'."""
        self._rows, self._waiting = rows, ""
        if self.look.part == "valid_unseen" and "valid_unseen" not in rows:
            self.look.part = "train"
        self.look.top = 0
        self._select()

    def wait(self, text: str) -> None:
        """Say why there are no rows yet."""
        self._rows, self._waiting = {}, text
        self._select()

    @property
    def rows(self) -> Rows | None:
        return self._rows.get(self.look.part)

    def _parts(self) -> list[str]:
        """What can be switched between: training and validation always, unseen values where there are such rows."""
        unseen = "valid_unseen" in self._rows or self.look.part == "valid_unseen"
        return ["train", "valid", *(["valid_unseen"] if unseen else [])]

    def _count(self) -> int:
        rows = self.rows
        return 0 if rows is None else len(rows) if self.look.numbers is None else len(self.look.numbers)

    def _row(self, place: int) -> Row:
        rows = self.rows
        assert rows is not None
        return rows.row(place if self.look.numbers is None else self.look.numbers[place])

    def _height_of(self, row: Row, width: int) -> int:
        """Lines of a row, the empty one behind it included."""
        return len(row_lines([row], width, ids=self.look.ids)) + 1

    def _fill(self, places: Sequence[int]) -> list[Row]:
        """Rows from ``places`` for as long as they fit; at least one."""
        page = self.query_one("#rows-page", VerticalScroll)
        width, room = max(10, page.size.width - 2), page.size.height + 1  # no empty line behind the last
        found: list[Row] = []
        for place in places:
            row = self._row(place)
            room -= self._height_of(row, width)
            if found and room < 0:
                break
            found.append(row)
        return found

    def _draw(self) -> None:
        count, look = self._count(), self.look
        if not self.is_mounted or not self.query_one("#rows-page").size.width:
            return
        look.top = max(0, min(look.top, count - 1))
        self._page = self._fill(range(look.top, min(count, look.top + 100)))
        self.query_one(RowText).show_rows(self._page, ids=look.ids, find=look.words, empty=self._why_empty())
        self.query_one("#rows-page", VerticalScroll).scroll_home(animate=False)
        part = self.query_one("#rows-part", Static)
        names = {"train": _("train"), "valid": _("valid"), "valid_unseen": _("unseen values")}
        shown = [f"[{names[key]}]" if key == look.part else names[key] for key in self._parts()]
        part.update(Content(" · ".join(shown)))
        self.query_one("#rows-cut", Static).update(Content(f"[{'x' if look.only_cut else ' '}] {_('only cut')}"))
        self.query_one("#rows-place", Static).update(Content(self._place(count)))
        self.query_one("#rows-legend", Static).update(legend())

    def _why_empty(self) -> str:
        if self.rows is None:
            return self._waiting or _("no rows to show")
        if self._problem:
            return f"✗ {self._problem}"
        if self._searching:
            return _("searching …")
        if self.look.only_cut:
            return _("no row that is cut holds that") if self.look.words else _(
                "no row was cut: the model sees all of every row")  # fmt: skip
        if not self.look.words:
            return _("there are no rows in this part")
        return _("none of the first rows holds that; more of this large file was not read") if self.rows.partly else _(
            "no row holds that")  # fmt: skip

    def _place(self, count: int) -> str:
        if not count:
            return "0"
        values = {"first": self.look.top + 1, "last": self.look.top + len(self._page), "count": count}
        if self.look.numbers is None and self.rows is not None and self.rows.partly:
            return _("rows {first}–{last} of the first {count}").format(**values)
        if self.look.numbers is None:
            return _("rows {first}–{last} of {count}").format(**values)
        return _("found {first}–{last} of {count}").format(**values)

    # -- paging -----------------------------------------------------------------------------------------------

    def go(self, top: int) -> None:
        """Show the page that begins at a place."""
        top = max(0, min(top, self._count() - 1))
        if top != self.look.top:
            self.look.top = top
            self._draw()

    def page(self, by: int) -> None:
        """The next page, or the one before: what does not fit on a page is scrolled first."""
        if by > 0:
            if self._scroll(1) is False and self.look.top + len(self._page) < self._count():
                self.go(self.look.top + len(self._page))
        elif self._scroll(-1) is False:
            before = self._fill(range(self.look.top - 1, max(-1, self.look.top - 100), -1)) if self.look.top else []
            self.go(self.look.top - len(before))

    def _scroll(self, by: int) -> bool:
        """Scroll within a page that is longer than the screen; False when it is at its end."""
        page = self.query_one("#rows-page", VerticalScroll)
        if (page.scroll_offset.y >= page.max_scroll_y) if by > 0 else (page.scroll_offset.y <= 0):
            return False
        page.scroll_relative(y=by * max(1, page.size.height - 2), animate=False)
        return True

    def line(self, by: int) -> None:
        """One row on or back."""
        self.go(self.look.top + by)

    def end(self) -> None:
        count = self._count()
        if count:
            self.go(count - len(self._fill(range(count - 1, max(-1, count - 100), -1))))

    # -- choosing ---------------------------------------------------------------------------------------------

    def toggle_part(self) -> None:
        parts = self._parts()
        self.look.part = parts[(parts.index(self.look.part) + 1) % len(parts)]
        self.look.top = 0
        self._select()

    def toggle_cut(self) -> None:
        self.look.only_cut = not self.look.only_cut
        self.look.top = 0
        self._select()

    def toggle_ids(self) -> None:
        self.look.ids = not self.look.ids
        self._draw()

    def search(self) -> None:
        self.query_one("#rows-search", Input).focus()

    def forget_search(self) -> None:
        """All rows again."""
        self.query_one("#rows-search", Input).value = ""
        self._typed()

    def _select(self) -> None:
        """Find the rows to page through; a search goes through all of them, in a thread."""
        self._turn += 1
        turn, rows, words, only_cut = self._turn, self.rows, self.look.words, self.look.only_cut
        self._searching, self._problem = False, ""
        if rows is None or not (words or only_cut):
            self.look.numbers = None
        else:
            self.look.numbers, self._searching = [], True

            def work() -> None:
                try:
                    found = select(rows, words, only_cut, lambda: self._turn == turn and self.is_attached)
                except Exception as problem:  # a fault is shown in place of the rows
                    self.post_message(self.Selected(turn, [], explain(problem).cause))
                    return
                if found is not None:
                    self.post_message(self.Selected(turn, found))

            self.run_worker(work, thread=True, group="rows", exit_on_error=False)
        self._draw()

    @on(Selected)
    def _selected(self, message: Selected) -> None:
        message.stop()
        if message.turn == self._turn:
            self._searching, self._problem = False, message.problem
            self.look.numbers = message.numbers
            self._draw()

    @on(Input.Changed, "#rows-search")
    def _typing(self, message: Input.Changed) -> None:
        message.stop()
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(SEARCH_DELAY, self._typed)

    @on(Input.Submitted, "#rows-search")
    def _entered(self, message: Input.Submitted) -> None:
        message.stop()
        self._typed()
        self.post_message(self.SearchLeft())

    def _typed(self) -> None:
        words = self.query_one("#rows-search", Input).value.strip()
        number = words[1:] if words.startswith("#") else ""
        if number.isascii() and number.isdigit():
            words = ""
        if words != self.look.words:
            self.look.words, self.look.top = words, 0
            self._select()
        if number.isascii() and number.isdigit() and len(number) < 12:
            self.go(int(number) - 1)

    @on(Switch.Clicked)
    def _clicked(self, message: Switch.Clicked) -> None:
        message.stop()
        if message.id == "rows-part":
            self.toggle_part()
        else:
            self.toggle_cut()


def legend() -> Content:
    """What the signs mean."""
    return Content.assemble(
        ("│", "dim"), " ", (_("between tokens"), "dim"), "   ",
        ("«", "dim"), (_("learnt"), "bold $text-success"), ("»", "dim"), "   ",
        ("‹" + _("cut") + "│", "dim"), (_("never seen"), "dim strike"), ("›", "dim"), "   ",
        ("<eos>", "reverse"), " ", (_("end of the answer"), "dim"),
    )  # fmt: skip
