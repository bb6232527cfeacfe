"""The token view: setting tokens in lines, their likelihood in signs, and the alternatives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.containers import Vertical
from textual.pilot import Pilot
from textual.widgets import Static

import gpt_tui
from core.text import cell_width
from gpt_tui.chat.records import Piece
from gpt_tui.chat.token_layout import LEVELS, MOST_TOKENS, at, bar, beside, lay_out, level, visible
from gpt_tui.widgets.token_view import TokenPage, TokenText, alternatives

HERE = Path(gpt_tui.__file__).parent
TOP = tuple((f"词{i}", 0.3 / (i + 1)) for i in range(12))


def piece(text: str, p: float = 0.5, raw: bytes = b"") -> Piece:
    return Piece(text, text, p, ((text, p), *TOP), raw)


SENTENCE = [piece("注意", 0.97), piece("力", 0.6), piece("机制", 0.3), piece("[/b]", 0.01), piece("\n", 0.99)]


def width_of(text: str) -> int:
    return sum(map(cell_width, text))


# -- setting ----------------------------------------------------------------------------------------------------


@given(st.lists(st.text(max_size=12), max_size=60), st.integers(4, 80))
def test_tokens_stand_apart_and_inside(texts: list[str], width: int) -> None:
    placed = lay_out([piece(text) for text in texts], width)
    assert [token.index for token in placed] == list(range(len(texts)))
    previous = None
    for token in placed:
        assert token.x + token.width <= width
        assert width_of(token.text) == token.width
        assert token.text
        if previous is not None and previous.line == token.line:
            assert token.x == previous.x + previous.width + 1
        previous = token


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=40), st.integers(10, 60))
def test_every_token_is_found_under_its_cells(texts: list[str], width: int) -> None:
    placed = lay_out([piece(text) for text in texts], width)
    for token in placed:
        assert at(placed, token.x, token.line) == token.index
        for lines in (-1, 1):
            other = placed[beside(placed, token.index, lines)]
            assert other.line in (token.line, token.line + lines)


def test_very_long_answers_are_bounded() -> None:
    assert len(lay_out([piece("a")] * (MOST_TOKENS + 50), 80)) == MOST_TOKENS


def test_what_cannot_be_seen_gets_a_sign() -> None:
    assert visible("\n") == "⏎"
    assert visible(" a") == "␣a"
    assert visible("") == "∅"
    assert visible("\ufffd", b"\xe6\xb3") == "⟨E6 B3⟩"
    assert "\x1b" not in visible("\x1b[2J\u202e")


def test_likelihood_shows_without_colour() -> None:
    assert [level(p) for p in (1.0, 0.9, 0.5, 0.15, 0.0)] == ["sure", "sure", "likely", "doubtful", "unlikely"]
    heights = [bar(bound) for bound, _name in LEVELS]
    assert len(set(heights)) == len(LEVELS)
    assert (bar(0.0), bar(1.0)) == ("▁", "█")


# -- alternatives -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [20, 33])
def test_alternatives_fit_and_the_chosen_one_is_marked(width: int) -> None:
    lines = alternatives(piece("注意力机制是什么意思呢", 0.4), width)
    assert len(lines) == 10
    assert [chosen for *_rest, chosen in lines] == [True] + [False] * 9
    assert all(width_of(f" {text} {share}") <= max(width, 21) for text, share, _chosen in lines)
    assert "40.0 %" in lines[0][1]


def test_a_chosen_token_outside_the_ten_comes_last() -> None:
    odd = Piece("怪", "怪", 0.0001, TOP)
    lines = alternatives(odd, 33)
    assert len(lines) == 11
    assert lines[-1][0].startswith("怪")
    assert lines[-1][2]


def test_of_tokens_that_look_alike_only_one_is_the_chosen() -> None:
    half = Piece("\ufffd", "", 0.2, (("\ufffd", 0.5), ("\ufffd", 0.2), ("好", 0.1)), b"\xe6")
    assert [chosen for *_rest, chosen in alternatives(half, 33)] == [False, True, False]


# -- on the screen ----------------------------------------------------------------------------------------------


class ChatPane(Vertical):
    """By its name the style sheet of the tab applies."""


class TokensApp(App[None]):
    CSS_PATH: ClassVar[list[Path]] = [HERE / "panes" / "chat.tcss"]

    def compose(self) -> ComposeResult:
        with ChatPane():
            yield TokenPage()

    @property
    def text(self) -> TokenText:
        return self.query_one(TokenText)

    def panel(self) -> str:
        return str(self.query_one(".alternatives", Static).content)


def drive(script: Callable[[TokensApp, Pilot[None]], Awaitable[None]], pieces: list[Piece] = SENTENCE) -> None:
    app = TokensApp()

    async def main() -> None:
        async with app.run_test(size=(80, 20)) as pilot:
            app.query_one(TokenPage).show("什么是[/b]？\x1b", pieces)
            await pilot.pause()
            await script(app, pilot)

    asyncio.run(main())


def test_keys_move_and_the_panel_follows() -> None:
    async def script(app: TokensApp, pilot: Pilot[None]) -> None:
        assert app.focused is app.text
        assert "token 1 of 5" in app.panel()
        assert "▶注意" in app.panel()
        await pilot.press("right", "right")
        assert "token 3 of 5" in app.panel()
        await pilot.press("end")
        assert "▶⏎" in app.panel()
        await pilot.press("home", "left")
        assert app.text.cursor == 0
        await pilot.press("n")  # to the next one below a half
        assert app.text.cursor == 2
        await pilot.press("n", "n")
        assert app.text.cursor == 3
        await pilot.press("p")
        assert app.text.cursor == 2

    drive(script)


def test_up_and_down_go_between_lines_and_scroll() -> None:
    async def script(app: TokensApp, pilot: Pilot[None]) -> None:
        line = app.text._placed[0].line
        await pilot.press("down")
        assert app.text._placed[app.text.cursor].line == line + 1
        await pilot.press("up")
        assert app.text.cursor == 0
        await pilot.press("end")
        await pilot.pause()
        scroll = app.text.parent
        assert scroll is not None
        assert scroll.scroll_y > 0  # type: ignore[attr-defined]

    drive(script, [piece(f"词元{i}", 0.4) for i in range(200)])


def test_the_mouse_moves_over_a_token() -> None:
    async def script(app: TokensApp, pilot: Pilot[None]) -> None:
        token = app.text._placed[2]
        await pilot.hover(TokenText, offset=(token.x, 0))
        assert app.text.cursor == 2
        await pilot.click(TokenText, offset=(app.text._placed[1].x, 1))  # the bar under it counts too
        assert app.text.cursor == 1

    drive(script)


def test_each_level_has_its_own_look_without_colour() -> None:
    async def script(app: TokensApp, pilot: Pilot[None]) -> None:
        app.text.move_to(4)
        words, bars = ("".join(segment.text for segment in app.text.render_line(y)) for y in (0, 1))
        assert words.startswith("注意 力 机制 [/b] ⏎")
        assert bars.startswith("████ ▅▅ ▃▃▃▃ ▁▁▁▁ ▲")
        underlined = {segment.text: bool(segment.style and segment.style.underline)
                      for segment in app.text.render_line(0)}  # fmt: skip
        assert (underlined["注意"], underlined["机制"], underlined["[/b]"]) == (False, True, True)

    drive(script)


def test_an_answer_from_the_history_says_that_its_tokens_are_gone() -> None:
    async def script(app: TokensApp, pilot: Pilot[None]) -> None:
        assert "ask again" in app.panel()

    drive(script, [])


def test_parts_of_a_character_are_named() -> None:
    async def script(app: TokensApp, pilot: Pilot[None]) -> None:
        assert "part of a character" in app.panel()

    drive(script, [Piece("\ufffd", "", 0.2, (("\ufffd", 0.2),), b"\xe6")])
