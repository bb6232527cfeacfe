"""The top line: the tabs, and how the training stands, whichever tab is open."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.widgets import Static

from core.text import cell_width, printable, shorten

from ..actions import PANES
from ..history import Snapshot
from ..i18n import _
from .status import state_mark, state_word


class TabLabel(Static):
    """One tab; a click opens it."""

    ALLOW_SELECT = False

    class Chosen(Message):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, number: int, name: str, label: str) -> None:
        super().__init__(Content(f"{number} {_(label)}"), id=f"tab-{name}")
        self._tab = name

    def on_click(self, event: Click) -> None:
        event.stop()
        self.post_message(self.Chosen(self._tab))


class TopBar(Horizontal):
    """Tabs on the left, the state of the training on the right."""

    def __init__(self) -> None:
        super().__init__()
        self._current = PANES[0][0]
        self._status = ""

    def compose(self) -> ComposeResult:
        for number, (name, _class, label) in enumerate(PANES, 1):
            tab = TabLabel(number, name, label)
            tab.set_class(name == self._current, "-open")
            yield tab
        yield Static(Content(self._status), id="status")

    def mark(self, name: str) -> None:
        """Show which tab is open."""
        self._current = name
        for tab in self.query(TabLabel):
            tab.set_class(tab.id == f"tab-{name}", "-open")

    def show(self, snapshot: Snapshot) -> None:
        """How the training stands, cut to the cells that the tabs leave."""
        parts = [f"{state_mark(snapshot)} {state_word(snapshot)}"]
        if snapshot.active or snapshot.finished:
            of = f"/{snapshot.total_steps}" if snapshot.total_steps else ""
            parts.append(f"{snapshot.step}{of}")
        if snapshot.run:
            parts.append(printable(snapshot.run))
        tabs = sum(sum(map(cell_width, f"{i} {_(label)}")) + 2 for i, (_n, _c, label) in enumerate(PANES, 1))
        text = shorten("  ".join(parts), max(10, self.size.width - tabs - 2))
        if text != self._status:
            self._status = text
            self.query_one("#status", Static).update(Content(text), layout=False)
