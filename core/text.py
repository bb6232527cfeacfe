"""Making any text safe to show: the one place that decides what may reach a terminal."""

from __future__ import annotations

import unicodedata

#: Characters that change the direction or joining of what stands around them, and other invisible marks.
_INVISIBLE = {
    *range(0x200B, 0x2010),  # zero-width space and joiners, directional marks
    *range(0x202A, 0x202F),  # bidi embeddings and overrides
    *range(0x2060, 0x2070),  # word joiner, invisible operators, isolates
    0x061C,  # Arabic letter mark
    0xFEFF,  # byte order mark
    *range(0xFFF9, 0xFFFC),  # interlinear annotation
}


def printable(text: str, *, keep_newlines: bool = False) -> str:
    """``text`` with nothing in it that a terminal obeys.

    Control characters (C0, C1, DEL), bidirectional overrides, invisible marks, line separators and lone
    surrogates become visible escapes such as ``\\x1b`` or ``\\u202e``; all else stays. With
    ``keep_newlines`` a line feed and a tab stay too.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(char, keep_newlines) for char in text)


def _shown(char: str, keep_newlines: bool) -> str:
    if keep_newlines and char in "\n\t":
        return char
    code = ord(char)
    if char in "\n\t\r":
        return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}[char]
    if code < 0x20 or 0x7F <= code < 0xA0:
        return f"\\x{code:02x}"
    if code in _INVISIBLE or 0xE0000 <= code < 0xE1000:
        return f"\\u{code:04x}"
    if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp"):
        return f"\\u{code:04x}"
    return char


def without_surrogates(text: str) -> str:
    """``text`` with lone surrogates, which exist in Python strings but in no encoding, as U+FFFD."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        # Through UTF-16, where a high and a low one that belong together become the character they mean.
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def shorten(text: str, cells: int) -> str:
    """``text`` cut to a width in terminal cells (a Chinese character takes two), with … where it was cut."""
    if cells < 1:
        return ""
    used = 0
    for i, char in enumerate(text):
        used += cell_width(char)
        if used > cells:
            keep = i
            while keep and sum(map(cell_width, text[:keep])) > cells - 1:
                keep -= 1
            return text[:keep] + "…"
    return text


def cell_width(char: str) -> int:
    """Terminal cells that one character takes: 0, 1 or 2."""
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def pad(text: str, cells: int, *, right: bool = False) -> str:
    """``text`` filled with blanks to a width in terminal cells; ``right`` puts them before it."""
    blanks = " " * max(0, cells - sum(map(cell_width, text)))
    return blanks + text if right else text + blanks


def first_line(problem: object, most: int = 160) -> str:
    """The first line of what an exception of another library says, or its name where it says nothing."""
    return next(iter(str(problem).splitlines()), "")[:most] or type(problem).__name__
