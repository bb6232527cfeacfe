"""Breaking text into lines by terminal cells: between words, or between any two Chinese characters."""

from __future__ import annotations

from core.text import cell_width

#: Marks that must not begin a line, and such as must not end one.
_CLOSING = frozenset("，。！？；：、）】》」』”’,.!?;:)]}%")
_OPENING = frozenset("（【《「『“‘([{")


def fold(text: str, cells: int, first: int | None = None) -> list[str]:
    """Lines of at most ``cells`` cells (the first: ``first``), never cut inside a character."""
    lines: list[str] = []
    begin, room = 0, max(2, cells if first is None else first)
    while begin < len(text):
        end, used = begin, 0
        while end < len(text) and used + cell_width(text[end]) <= room:
            used += cell_width(text[end])
            end += 1
        if end < len(text) and text[end] != " ":
            good = (at for at in range(end, begin, -1) if _may_break(text[at - 1], text[at]))
            end = next(good, end)
        lines.append(text[begin:end].rstrip(" ") if end < len(text) else text[begin:end])
        begin, room = end, max(2, cells)
        while begin < len(text) and text[begin] == " ":
            begin += 1
    return lines or [""]


def _may_break(before: str, after: str) -> bool:
    if after in _CLOSING or before in _OPENING:
        return False
    return before == " " or cell_width(before) == 2 or cell_width(after) == 2
