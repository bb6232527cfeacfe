"""Any text through the tokenizer, as one types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static, TextArea

from core.text import printable

from ..i18n import _
from .token_row import RowText
from .token_rows import GIVEN, pieces_of

if TYPE_CHECKING:
    from core.tokenizer import Tokenizer

MOST_CHARACTERS = 2000
"""Longer texts are cut here, so that every key is answered at once."""


class TryArea(TextArea):
    """Takes no character that a terminal would obey; the cursor does not blink, so that nothing is painted while
    Chinese is composed."""

    def __init__(self, text: str, id: str) -> None:
        super().__init__(text, id=id, compact=True, highlight_cursor_line=False, soft_wrap=True, tab_behavior="focus")
        self.cursor_blink = False

    async def _on_paste(self, event: events.Paste) -> None:
        # Textual calls the handler of every base class by itself, after this one.
        event.text = printable(event.text.replace("\r\n", "\n").replace("\r", "\n"), keep_newlines=True)


def facts(tokenizer: Tokenizer, text: str, tokens: list[int]) -> str:
    """How many tokens, how dense, and whether the text comes back."""
    exact = tokenizer.decode(tokens) == text
    parts = [
        _("{tokens} tokens").format(tokens=len(tokens)),
        _("{characters} characters").format(characters=len(text)),
        _("{bytes} bytes").format(bytes=len(text.encode("utf-8", "replace"))),
        _("{rate:.2f} characters/token").format(rate=len(text) / len(tokens) if tokens else 0.0),
        "✓ " + _("reads back") if exact else "✗ " + _("does not read back"),
    ]
    return " · ".join(parts)


class TryTokenizer(Vertical):
    """A text above, its tokens over their ids below."""

    def __init__(self, text: str = "", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.text = text
        self._tokenizer: Tokenizer | None = None

    def compose(self) -> ComposeResult:
        yield TryArea(self.text, id="try-text")
        yield Static("", id="try-facts", markup=False)
        with VerticalScroll(id="try-page"):
            yield RowText(id="try-tokens")

    def show(self, tokenizer: Tokenizer | None) -> None:
        self._tokenizer = tokenizer
        self._draw()

    def edit(self) -> None:
        self.query_one(TryArea).focus()

    def on_mount(self) -> None:
        area = self.query_one(TryArea)
        area.move_cursor(area.document.end)
        self._draw()

    @on(TextArea.Changed)
    def _changed(self, message: TextArea.Changed) -> None:
        message.stop()
        if message.text_area.text != self.text:
            self.text = message.text_area.text
            self._draw()

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        line, out = self.query_one("#try-facts", Static), self.query_one(RowText)
        if self._tokenizer is None:
            line.update(Content(_("no tokenizer yet")))
            out.show_pieces(())
            return
        text = self.text[:MOST_CHARACTERS]
        tokens = self._tokenizer.encode(text)
        said = facts(self._tokenizer, text, tokens)
        if len(self.text) > MOST_CHARACTERS:
            said = _("the first {n} characters: ").format(n=MOST_CHARACTERS) + said
        line.update(Content(said if text else _("Type or paste any text above; here come its tokens and their ids.")))
        out.show_pieces(pieces_of(self._tokenizer, tokens, [GIVEN] * len(tokens)))
