"""Token rows on the screen: every token set apart, the learnt part and the cut part told by signs and by style.

``│`` stands between tokens, ``«…»`` around what is learnt, ``‹cut│…›`` around what the model never sees; special
tokens are shown reversed by their names, half characters as ``\\xe6``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from rich.segment import Segment
from textual.content import Content, Span
from textual.geometry import Size
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style as VisualStyle
from textual.widget import Widget

from core.text import cell_width, pad, printable, shorten

from ..fold import fold
from ..i18n import _
from .token_rows import CUT, LEARNT, Piece, Row, marked

#: Styles by what they are for. Odd tokens have another ground; what is learnt or cut differs by more than colour.
STYLES: Mapping[str, str] = {
    "head": "bold", "separator": "dim", "given": "", "given-odd": "on $panel",
    "learnt": "bold $text-success", "learnt-odd": "bold $text-success on $panel",
    "cut": "dim strike", "cut-odd": "dim strike on $panel", "special": "reverse",
    "found": "bold underline reverse $text-warning", "id": "dim",
}  # fmt: skip


def piece_text(piece: Piece) -> str:
    """A token as something to look at: safe, half a character by its bytes, a new line as ``\\n``."""
    if piece.name:
        return printable(piece.name)
    return printable(piece.raw.decode("utf-8", "backslashreplace")) or "\\0"


class Builder:
    """Pieces of styled text, put into lines of a width; nothing is cut inside a character."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.lines: list[Content] = []
        self._used = 0  # cells of the last line
        self._parts: list[str] = []
        self._spans: list[Span] = []
        self._length = 0

    def add(self, *atoms: tuple[str, str]) -> None:
        """Put (text, style name) pairs that belong together on one line, if they fit on one at all."""
        cells = sum(cell_width(char) for text, _style in atoms for char in text)
        if self._used and self._used + cells > self.width:
            self.new_line()
        fits = self._used + cells <= self.width
        for text, style in atoms:
            for piece in [text] if fits else self._folded(text):
                self._put(piece, style)
        if fits:
            self._used += cells

    def _folded(self, text: str) -> Iterable[str]:
        """``text`` in parts of which each but the first begins a line."""
        start = 0
        for i, char in enumerate(text):
            cells = cell_width(char)
            if self._used + cells > self.width and self._used:
                yield text[start:i]
                self.new_line()
                start = i
            self._used += cells
        yield text[start:]

    def _put(self, text: str, style: str) -> None:
        if text:
            if STYLES[style]:
                self._spans.append(Span(self._length, self._length + len(text), STYLES[style]))
            self._parts.append(text)
            self._length += len(text)

    def new_line(self) -> None:
        """End the line; an empty one counts."""
        self.lines.append(Content("".join(self._parts), self._spans))
        self._parts, self._spans, self._length, self._used = [], [], 0, 0


def head_text(row: Row, width: int) -> str:
    """The line over a row: its number, where it comes from, how much of it is learnt."""
    parts = [f"#{row.number + 1}"]
    if row.window:
        parts.append(_("window {n} of {all}").format(n=row.window[0], all=row.window[1]))
    seen = len(row.pieces) - row.count(CUT)
    parts.append(_("{tokens} tokens, {learnt} learnt").format(tokens=seen, learnt=row.count(LEARNT)))
    if row.lost:
        parts.append(_("! left out: the answer alone is too long"))
    elif row.count(CUT):
        parts.append(_("! {tokens} cut").format(tokens=row.count(CUT)))
    head = " · ".join(parts)
    room = width - sum(map(cell_width, head)) - 3
    where = printable(row.where)
    if room > 8 and where:
        cells = list(map(cell_width, where))
        while sum(cells) > room:  # the end of a path tells most
            where, cells = where[1:], cells[1:]
        cut = len(where) < len(printable(row.where))
        head += " · " + ("…" + where[1:] if cut else where)
    return shorten(head, width)


def add_row(out: Builder, row: Row, *, ids: bool = False, find: str = "") -> None:
    """One row: its head, then its tokens."""
    out.add((head_text(row, out.width), "head"))
    out.new_line()
    found = marked(row.pieces, find)
    pieces = row.pieces
    for i, piece in enumerate(pieces):
        begins = i == 0 or pieces[i - 1].part != piece.part
        ends = i + 1 == len(pieces) or pieces[i + 1].part != piece.part
        atoms: list[tuple[str, str]] = []
        if begins and piece.part == LEARNT:
            atoms.append(("«", "separator"))
        elif begins and piece.part == CUT:
            atoms.append((f"‹{_('cut')}│", "separator"))
        style = "special" if piece.name else f"{piece.part}-odd" if i % 2 else piece.part
        atoms.append((piece_text(piece), "found" if found[i] else style))
        if ids:
            atoms.append((f"·{piece.token}", "id"))
        if not ends:
            atoms.append(("│", "separator"))
        elif piece.part == LEARNT:
            atoms.append(("»", "separator"))
        elif piece.part == CUT:
            atoms.append(("›", "separator"))
        out.add(*atoms)
    out.new_line()


def row_lines(rows: Sequence[Row], width: int, *, ids: bool = False, find: str = "") -> list[Content]:
    """Several rows, an empty line between them."""
    out = Builder(max(10, width))
    for i, row in enumerate(rows):
        if i:
            out.new_line()
        add_row(out, row, ids=ids, find=find)
    return out.lines


def piece_lines(pieces: Sequence[Piece], width: int) -> list[Content]:
    """Tokens over their ids, column by column."""
    out = Builder(max(10, width))
    line: list[tuple[str, str, str]] = []
    used = 0

    def flush() -> None:
        for above in (True, False):
            for text, number, style in line:
                out.add((text if above else number, style if above else "id"), ("│", "separator"))
            out.new_line()

    for i, piece in enumerate(pieces):
        text = shorten(piece_text(piece), out.width - 1)
        cells = max(sum(map(cell_width, text)), len(str(piece.token)))
        if line and used + cells + 1 > out.width:
            flush()
            line, used = [], 0
        style = "special" if piece.name else "given-odd" if i % 2 else "given"
        line.append((pad(text, cells), pad(str(piece.token), cells), style))
        used += cells + 1
    if line:
        flush()
    return out.lines


class RowText(Widget):
    """Rows or pieces, laid out for the width there is.

    Only the lines on the screen are rendered: a ``Static`` would divide thousands of styled tokens anew at every
    change (measured: 2 s for 3,000 tokens).
    """

    DEFAULT_CSS = """
    RowText {
        width: 1fr;
        height: auto;
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lay_out: Callable[[int], list[Content]] = lambda width: []
        self._width = -1
        self._lines: list[Content] = []

    def show_rows(self, rows: Sequence[Row], *, ids: bool, find: str, empty: str = "") -> None:
        """Show rows, or ``empty`` where there are none."""
        if rows:
            self._show(lambda width: row_lines(rows, width, ids=ids, find=find))
        else:
            self._show(lambda width: [Content(line) for line in fold(empty, max(10, width))])

    def show_pieces(self, pieces: Sequence[Piece]) -> None:
        self._show(lambda width: piece_lines(pieces, width))

    def _show(self, lay_out: Callable[[int], list[Content]]) -> None:
        self._lay_out, self._width = lay_out, -1
        self.refresh(layout=True)

    def lines(self, width: int) -> list[Content]:
        """The lines for a width."""
        if width != self._width:
            self._lines, self._width = self._lay_out(width), width
        return self._lines

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self.lines(width))

    def render_line(self, y: int) -> Strip:
        base = self.visual_style
        lines = self.lines(self.content_size.width)
        if y >= len(lines):
            return Strip.blank(self.content_size.width, base.rich_style)
        line = lines[y]
        span = self.text_selection.get_span(y) if self.text_selection is not None else None
        if span is not None:
            selected = VisualStyle.from_styles(self.screen.get_component_styles("screen--selection"))
            line = line.stylize(selected, span[0], len(line) if span[1] == -1 else span[1])
        parts = line.render(base, end="", parse_style=self.app.stylesheet.parse_style)
        strip = Strip([Segment(text, style.rich_style) for text, style in parts])
        return strip.adjust_cell_length(self.content_size.width, base.rich_style).apply_offsets(0, y)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        return selection.extract("\n".join(line.plain for line in self._lines)), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()
