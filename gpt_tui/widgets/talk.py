"""A conversation on the screen, and the list of comparisons."""

from __future__ import annotations

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from ..chat.conversation import MOST_SHOWN, Conversation, Exchange
from ..chat.pair import Pair
from ..i18n import _
from .answer import ExchangeView
from .compare import PairView


class Talk(VerticalScroll, can_focus=False):
    """The exchanges of one conversation, the newest at the bottom."""

    async def show(self, conversation: Conversation, hint: str = "") -> None:
        """All of a conversation; ``hint`` stands there while it is empty."""
        await self.remove_children()
        parts: list[Widget] = []
        for i, exchange in enumerate(conversation.exchanges):
            if i == conversation.begin and i:
                parts.append(_line())
            parts.append(ExchangeView(exchange))
        if parts and conversation.begin == len(conversation.exchanges):
            parts.append(_line())
        if not parts and hint:
            parts.append(Static(Content(hint), markup=False, classes="hint"))
        await self.mount_all(parts)
        self.anchor()

    async def add(self, exchange: Exchange) -> None:
        """One more at the end."""
        await self.query(".hint").remove()
        await self.mount(ExchangeView(exchange))
        for old in list(self.query(ExchangeView))[:-MOST_SHOWN]:
            await old.remove()
        self.anchor()

    def refresh_answers(self, moved: list[Exchange]) -> None:
        """Show what has come of these; all others are left alone."""
        for view in self.query(ExchangeView):
            if any(view.exchange is exchange for exchange in moved):
                view.refresh_answer()

    def mark(self, chosen: Exchange | None) -> None:
        """Mark one exchange and bring it into sight."""
        for view in self.query(ExchangeView):
            here = view.exchange is chosen
            if here and self.max_scroll_y > 0:
                self.release_anchor()
                self.scroll_to_widget(view, animate=False)
            view.set_class(here, "-chosen")
        if chosen is None:
            self.anchor()


class Pairs(VerticalScroll, can_focus=False):
    """Questions put to two models, the newest at the bottom."""

    async def show(self, pairs: list[Pair], hint: str = "") -> None:
        await self.remove_children()
        views: list[Widget] = [PairView(pair) for pair in pairs]
        await self.mount_all(views or [Static(Content(hint), markup=False, classes="hint")])
        self.anchor()

    async def add(self, pair: Pair) -> None:
        await self.query(".hint").remove()
        await self.mount(PairView(pair))
        self.anchor()

    def refresh_answers(self, moved: list[Exchange]) -> None:
        for view in self.query(PairView):
            if any(side.exchange is exchange for side in view.pair.sides for exchange in moved):
                view.refresh_answer()


def _line() -> Static:
    return Static(Content(_("── new conversation ──")), markup=False, classes="line")
