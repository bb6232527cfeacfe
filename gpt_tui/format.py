"""Numbers, times, tables and answers as people read them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from core.text import cell_width, pad, printable


def json_line(value: Any) -> str:
    """JSON on one line. What a terminal would obey stands there as ``\\uXXXX``, which is the same to a reader."""
    text = json.dumps(value, ensure_ascii=False)
    if printable(text) == text:
        return text
    return "".join(char if printable(char) == char else json.dumps(char)[1:-1] for char in text)


def duration(seconds: float | None) -> str:
    """``0:07``, ``12:34``, ``1:02:03``; ``–`` when unknown."""
    if seconds is None:
        return "–"
    total = round(max(0.0, seconds))
    hours, rest = divmod(total, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"


def size(count: float) -> str:
    """Bytes in the unit that leaves few digits: ``13.5 MB``."""
    for unit in ("B", "kB", "MB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def number(value: float | None, digits: int = 4) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def table(rows: Sequence[Sequence[str]], header: Sequence[str] | None = None, right: Sequence[int] = ()) -> list[str]:
    """Lines of columns aligned in terminal cells; ``right`` names columns of numbers."""
    every = [list(header), *map(list, rows)] if header else [list(row) for row in rows]
    if not every:
        return []
    widths = [max(sum(map(cell_width, row[i])) for row in every) for i in range(len(every[0]))]
    return ["  ".join(pad(cell, widths[i], right=i in right) for i, cell in enumerate(row)).rstrip() for row in every]


class HeldBlanks:
    """The pieces of an answer as they may be shown: blanks at its end are not part of it, so they wait for what
    follows. With ``trim`` False all of it is part of it."""

    def __init__(self, trim: bool) -> None:
        self._trim = trim
        self._blanks = ""

    def push(self, piece: str) -> str:
        shown = self._blanks + piece
        body = shown.rstrip() if self._trim else shown
        self._blanks = shown[len(body) :]
        return body
