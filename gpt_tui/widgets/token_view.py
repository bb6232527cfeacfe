"""An answer token by token: each with its probability, and the ten likeliest at the one the cursor is on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.style import Style
from textual.widget import Widget
from textual.widgets import Static

from core.text import pad, printable, shorten

from ..chat.records import Piece
from ..chat.token_layout import LEVELS, Placed, at, bar, beside, lay_out, level, visible
from ..i18n import _

ALTERNATIVES = 10
CURSOR = Style(bold=True, reverse=True)
NAMES = tuple(name for _bound, name in LEVELS)


class TokenText(Widget, can_focus=True):
    """The tokens, each over a bar as high as its probability."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"tokens--{name}" for name in NAMES}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", show=False),
        Binding("right", "move(1)", show=False),
        Binding("up", "line(-1)", show=False),
        Binding("down", "line(1)", show=False),
        Binding("home", "move(-100000)", show=False),
        Binding("end", "move(100000)", show=False),
        Binding("n", "doubtful(1)", show=False),
        Binding("p", "doubtful(-1)", show=False),
    ]

    @dataclass
    class Moved(Message):
        """The cursor is on another token."""

        index: int

    def __init__(self) -> None:
        super().__init__()
        self.pieces: Sequence[Piece] = ()
        self.cursor = 0
        self._placed: list[Placed] = []
        self._width = 0

    def show(self, pieces: Sequence[Piece]) -> None:
        self.pieces, self.cursor = pieces, 0
        self._placed = lay_out(pieces, self._width) if self._width else []
        self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Two lines of the screen for each line of tokens, as many as their width asks for."""
        if width != self._width and width > 0:
            self._width = width
            self._placed = lay_out(self.pieces, width)
        return 2 * (self._placed[-1].line + 1) if self._placed else 1

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.refresh()

    def render(self) -> Content:
        styles = {name: self.get_visual_style(f"tokens--{name}", partial=True) for name in NAMES}
        parts: list[str | tuple[str, str | Style]] = []
        lines = self._placed[-1].line + 1 if self._placed else 0
        for line in range(lines):
            row = [token for token in self._placed if token.line == line]
            parts += [*self._tokens(row, styles), "\n", *self._bars(row, styles), "\n" if line < lines - 1 else ""]
        return Content.assemble(*parts)

    def _tokens(self, row: list[Placed], styles: dict[str, Style]) -> list[str | tuple[str, str | Style]]:
        parts: list[str | tuple[str, str | Style]] = []
        for token in row:
            style = styles[level(self.pieces[token.index].p)]
            parts += [" " if parts else "", (token.text, style + CURSOR if token.index == self.cursor else style)]
        return parts

    def _bars(self, row: list[Placed], styles: dict[str, Style]) -> list[str | tuple[str, str | Style]]:
        parts: list[str | tuple[str, str | Style]] = []
        for token in row:
            p = self.pieces[token.index].p
            here = token.index == self.cursor
            # Underlining belongs to the words; a bar with a line under it is hard to tell from a higher one.
            colour = Style(foreground=styles[level(p)].foreground)
            parts += [" " if parts else "", ("▲" * token.width if here else bar(p) * token.width, colour)]
        return parts

    def move_to(self, index: int) -> None:
        """Put the cursor on a token."""
        index = max(0, min(len(self._placed) - 1, index))
        if index == self.cursor or not self._placed:
            return
        self.cursor = index
        self.refresh()
        place = self._placed[index]
        self.scroll_to_region_of(Region(place.x, 2 * place.line, place.width, 2))
        self.post_message(self.Moved(index))

    def scroll_to_region_of(self, region: Region) -> None:
        parent = self.parent
        if isinstance(parent, VerticalScroll):
            parent.scroll_to_region(region.translate(self.virtual_region.offset), animate=False)

    def action_move(self, by: int) -> None:
        self.move_to(self.cursor + by)

    def action_line(self, by: int) -> None:
        if self._placed:
            self.move_to(beside(self._placed, self.cursor, by))

    def action_doubtful(self, step: int) -> None:
        """To the next token (or the one before) that was less likely than not."""
        found = [token.index for token in self._placed if self.pieces[token.index].p < 0.5]
        ahead = [i for i in found if (i > self.cursor if step > 0 else i < self.cursor)]
        if ahead:
            self.move_to(ahead[0] if step > 0 else ahead[-1])

    def on_mouse_move(self, event: events.MouseMove) -> None:
        self._point(event)

    def on_click(self, event: events.Click) -> None:
        self._point(event)

    def _point(self, event: events.MouseEvent) -> None:
        offset = event.get_content_offset(self)
        index = at(self._placed, offset.x, offset.y // 2) if offset is not None else None
        if index is not None:
            self.move_to(index)


def alternatives(piece: Piece, width: int) -> list[tuple[str, str, bool]]:
    """Lines for the likeliest tokens: text, probability with its bar, and whether it is the chosen one.

    A chosen token that is not among them comes last."""
    entries = [(visible(text) if text else "∅", p, text == piece.text) for text, p in piece.top[:ALTERNATIVES]]
    if not any(chosen for *_rest, chosen in entries):
        entries.append((visible(piece.text, piece.raw), piece.p, True))
    else:  # only the likeliest of several that look alike can be the one, if its probability is
        closest = min((i for i, e in enumerate(entries) if e[2]), key=lambda i: abs(entries[i][1] - piece.p))
        entries = [(text, p, i == closest) for i, (text, p, _chosen) in enumerate(entries)]
    cells = max(4, min(14, width - 15))
    lines = []
    for text, p, chosen in entries:
        full = round(p * 5)
        lines.append((pad(shorten(text, cells), cells), f"{100 * p:5.1f} % {'█' * full}{'·' * (5 - full)}", chosen))
    return lines


class TokenPage(Vertical):
    """The token view of one answer."""

    def compose(self) -> ComposeResult:
        yield Static("", markup=False, classes="title")
        with Horizontal():
            with VerticalScroll(can_focus=False, classes="tokens"):
                yield TokenText()
            yield Static("", markup=False, classes="alternatives")
        yield Static("", markup=False, classes="legend")

    def show(self, question: str, pieces: Sequence[Piece]) -> None:
        """Show an answer's tokens; none are kept of answers from the history."""
        self.query_one(".title", Static).update(Content(f"❯ {printable(question)}"))
        text = self.query_one(TokenText)
        text.show(pieces)
        self._legend()
        self._explain(0)
        if pieces:
            text.focus()

    def on_token_text_moved(self, message: TokenText.Moved) -> None:
        message.stop()
        self._explain(message.index)

    def _legend(self) -> None:
        text = self.query_one(TokenText)
        parts: list[str | tuple[str, str | Style]] = []
        for name, words in (
            ("sure", f"█ {_('90 % and more')}"), ("likely", "▅▆▇ 50–90 %"), ("doubtful", "▂▃▄ 15–50 %"),
            ("unlikely", f"▁▂ {_('under 15 %')}"),
        ):  # fmt: skip
            parts += [(words, text.get_visual_style(f"tokens--{name}", partial=True)), "   "]
        keys = _("←→↑↓ or mouse: token · n/p: next, previous doubtful one · Esc: back")
        self.query_one(".legend", Static).update(Content.assemble(*parts, "\n", (keys, "dim")))

    def _explain(self, index: int) -> None:
        panel = self.query_one(".alternatives", Static)
        pieces = self.query_one(TokenText).pieces
        if not pieces:
            panel.update(Content(_("no tokens are kept of this answer: ask again to see them")))
            return
        piece = pieces[index]
        width = panel.content_size.width or 30
        head = _("token {n} of {total}").format(n=index + 1, total=len(pieces))
        parts: list[str | tuple[str, str | Style]] = [(head, "bold"), "\n"]
        for text, share, chosen in alternatives(piece, width):
            parts += [(f"{'▶' if chosen else ' '}{text} {share}", "bold" if chosen else ""), "\n"]
        if piece.raw:
            parts.append((_("part of a character") + "\n", "dim"))
        parts.append((_("before temperature and filters"), "dim"))
        panel.update(Content.assemble(*parts))
