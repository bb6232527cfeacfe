"""Any text made safe to show."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.text import cell_width, first_line, pad, printable, shorten, without_surrogates

any_text = st.text(st.characters(exclude_categories=()))
BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def dangerous(char: str) -> bool:
    return (
        unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")
        or unicodedata.bidirectional(char) in BIDI
        or char in "\u061c\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\U000e0041"
    )


def width(text: str) -> int:
    return sum(map(cell_width, text))


def test_no_character_at_all_gets_through_that_a_terminal_obeys() -> None:
    everything = "".join(map(chr, [*range(0x40000), *range(0xE0000, 0xE2000), 0xFFFFF, 0x10FFFF]))
    assert any(map(dangerous, everything))
    assert not any(map(dangerous, printable(everything)))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("hello, 鲸 🐋 é!", "hello, 鲸 🐋 é!"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x1b]52;c;ZXZpbA==\x07", "\\x1b]52;c;ZXZpbA==\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("\x7f\x00\x80\x9f", "\\x7f\\x00\\x80\\x9f"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("admin\u202efdp.exe", "admin\\u202efdp.exe"),
        ("\u2066a\u2069", "\\u2066a\\u2069"),
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
        ("a\u2028b\u2029", "a\\u2028b\\u2029"),
        ("\ud83d", "\\ud83d"),
        ("[/bold][red]", "[/bold][red]"),
        ("a\\x1b", "a\\x1b"),
    ],
)
def test_what_a_terminal_obeys_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_newlines_and_tabs_stay_where_asked_for_but_no_return() -> None:
    assert printable("a\n\tb\rc\x1b", keep_newlines=True) == "a\n\tb\\rc\\x1b"


@given(any_text)
def test_printable_is_safe_and_idempotent(text: str) -> None:
    shown = printable(text)
    assert not any(map(dangerous, shown))
    assert printable(shown) == shown
    shown.encode("utf-8")
    lines = printable(text, keep_newlines=True)
    assert not any(dangerous(char) for char in lines if char not in "\n\t")
    assert printable(lines, keep_newlines=True) == lines
    assert lines.count("\n") == text.count("\n")


@given(st.text(st.characters(categories=("L", "N", "P", "S"))))
def test_printable_changes_no_ordinary_text(text: str) -> None:
    assert printable(text) == text


def test_lone_surrogates_become_one_replacement_character_each() -> None:
    assert without_surrogates("a\ud800b\udc00") == "a\ufffdb\ufffd"
    assert without_surrogates("\udcb5\ud83d\ude00") == "\ufffd😀"
    assert without_surrogates("鲸🐋\0\x85") == "鲸🐋\0\x85"


@given(any_text)
def test_without_surrogates_changes_nothing_else(text: str) -> None:
    found = without_surrogates(text)
    found.encode("utf-8")
    assert without_surrogates(found) == found
    joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    assert found == "".join("\ufffd" if unicodedata.category(char) == "Cs" else char for char in joined)


@pytest.mark.parametrize(
    ("text", "cells", "short"),
    [
        ("hello", 5, "hello"),
        ("hello", 4, "hel…"),
        ("hello", 1, "…"),
        ("hello", 0, ""),
        ("hello", -3, ""),
        ("", 0, ""),
        ("注意力", 6, "注意力"),
        ("注意力", 5, "注意…"),
        ("注意力", 4, "注…"),
        ("注意力", 2, "…"),
        ("e\u0301e\u0301", 2, "e\u0301e\u0301"),
        ("🐋🐋", 3, "🐋…"),
    ],
)
def test_shorten_cuts_between_characters(text: str, cells: int, short: str) -> None:
    assert shorten(text, cells) == short


@given(any_text, st.integers(-2, 30))
def test_shorten_never_exceeds_the_width(text: str, cells: int) -> None:
    short = shorten(text, cells)
    assert width(short) <= max(0, cells)
    if width(text) <= cells:
        assert short == text
    elif cells > 0:
        assert short.endswith("…")
        assert text.startswith(short[:-1])
        assert width(short) >= cells - 1  # a wide character may leave one cell


@given(st.text(), st.integers(0, 30), st.booleans())
def test_pad_fills_up_to_the_width(text: str, cells: int, right: bool) -> None:
    padded = pad(text, cells, right=right)
    assert width(padded) == max(cells, width(text))
    assert padded.endswith(text) if right else padded.startswith(text)


@pytest.mark.parametrize(
    ("problem", "line"), [(ValueError("a\nb"), "a"), (ValueError(), "ValueError"), (OSError("x" * 200), "x" * 160)]
)
def test_what_another_library_says_in_one_line(problem: Exception, line: str) -> None:
    assert first_line(problem) == line
