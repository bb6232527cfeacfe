"""One question put to two models, side by side."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from core.text import printable

from ..chat.pair import Pair, Side, verdict
from .answer import ExchangeView, facts
from .chat_picker import facts_of


class SideView(ExchangeView):
    """An answer under the name of its model."""

    def __init__(self, label: str, side: Side) -> None:
        super().__init__(side.exchange)
        self.label, self.side = label, side

    def heading(self) -> Content:
        name = Content(f"{self.label}  {printable(self.side.choice.name)}").stylize(self.style_of("question"))
        facts = self.exchange.facts
        about = Content(facts_of(facts) if facts is not None else "").stylize(self.style_of("facts"))
        return Content("\n").join([name, about])

    def facts(self) -> str:
        return facts(self.exchange, brief=True)


class PairView(Vertical):
    """A question, two answers, and what the comparison says."""

    def __init__(self, pair: Pair) -> None:
        super().__init__()
        self.pair = pair

    def compose(self) -> ComposeResult:
        question = printable(self.pair.question, keep_newlines=True).expandtabs(4)
        yield Static(Content(f"❯ {question}"), markup=False, classes="question")
        with Horizontal():
            for label, side in zip("AB", self.pair.sides, strict=True):
                yield SideView(label, side)
        yield Static(Content(verdict(self.pair)), markup=False, classes="verdict")

    def refresh_answer(self) -> None:
        """Show what has come since the last time."""
        for view in self.query(SideView):
            view.refresh_answer()
        content = Content(verdict(self.pair))
        line = self.query_one(".verdict", Static)
        if line.content != content:
            line.update(content)
