"""Tokens set in lines: what each looks like, how wide it is, and how likely it was, in signs as well as colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.text import cell_width, printable

from .records import Piece

BARS = "▁▂▃▄▅▆▇█"
#: From this probability on, the level's name. Four levels, told apart by underlining and weight as well as hue.
LEVELS = ((0.9, "sure"), (0.5, "likely"), (0.15, "doubtful"), (0.0, "unlikely"))
MOST_TOKENS = 2000
"""Tokens set at most; longer answers show their beginning."""


@dataclass(frozen=True)
class Placed:
    """A token's place: cells from the left, and the line of tokens (not of the screen)."""

    index: int
    line: int
    x: int
    text: str
    width: int


def level(p: float) -> str:
    return next(name for bound, name in LEVELS if p >= bound)


def bar(p: float) -> str:
    """One of eight heights."""
    return BARS[min(len(BARS) - 1, max(0, int(p * len(BARS))))]


def visible(text: str, raw: bytes = b"") -> str:
    """A token as something to look at: blanks and line ends as signs, parts of a character as their bytes."""
    if raw:
        return "⟨" + raw.hex(" ").upper() + "⟩"
    text = text.replace("\n", "⏎").replace("\t", "⇥").replace(" ", "␣").replace("\u3000", "␣␣")
    return printable(text) or "∅"


def lay_out(pieces: Sequence[Piece], width: int) -> list[Placed]:
    """Set tokens side by side, a blank between them, never one across two lines unless it alone is too wide."""
    placed: list[Placed] = []
    line = x = 0
    for index, piece in enumerate(pieces[:MOST_TOKENS]):
        text = visible(piece.text, piece.raw)
        cells = sum(map(cell_width, text))
        if cells > max(2, width):
            text, cells = _cut(text, max(2, width))
        if x and x + cells > width:
            line, x = line + 1, 0
        placed.append(Placed(index, line, x, text, cells))
        x += cells + 1
    return placed


def _cut(text: str, width: int) -> tuple[str, int]:
    used, kept = 0, ""
    for char in text:
        if used + cell_width(char) > width - 1:
            break
        used, kept = used + cell_width(char), kept + char
    return kept + "…", used + 1


def at(placed: Sequence[Placed], x: int, line: int) -> int | None:
    """The token under a cell; the blank behind a token counts to it."""
    return next((token.index for token in placed if token.line == line and token.x <= x <= token.x + token.width), None)


def beside(placed: Sequence[Placed], index: int, lines: int) -> int:
    """The token above (-1) or below (1) another, the nearest to its middle."""
    here = placed[index]
    row = [token for token in placed if token.line == here.line + lines]
    if not row:
        return index
    middle = here.x + here.width / 2
    return min(row, key=lambda token: abs(token.x + token.width / 2 - middle)).index
