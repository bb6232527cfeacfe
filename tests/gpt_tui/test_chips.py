"""Stop strings as chips."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.containers import Vertical
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

import gpt_tui
from core.text import cell_width
from gpt_tui.widgets.chips import ChipRow, StopChips, lay_out

HERE = Path(gpt_tui.__file__).parent
RECIPE = ("\n", "用户:")


class ChatPane(Vertical):
    """By its name the style sheet of the tab applies."""


class ChipsApp(App[None]):
    CSS_PATH: ClassVar[list[Path]] = [HERE / "panes" / "chat.tcss"]

    def __init__(self, stops: tuple[str, ...] = RECIPE) -> None:
        super().__init__()
        self.stops = stops
        self.heard: list[tuple[str, ...]] = []

    def compose(self) -> ComposeResult:
        with ChatPane():
            yield StopChips(self.stops)
            yield TextArea()

    def on_stop_chips_changed(self, message: StopChips.Changed) -> None:
        self.heard.append(message.stops)

    @property
    def row(self) -> ChipRow:
        return self.query_one(ChipRow)


def drive(script: Callable[[ChipsApp, Pilot[None]], Awaitable[None]], stops: tuple[str, ...] = RECIPE) -> ChipsApp:
    app = ChipsApp(stops)

    async def main() -> None:
        async with app.run_test(size=(40, 12)) as pilot:
            app.row.focus()
            await pilot.pause()
            await script(app, pilot)
            await pilot.pause()

    asyncio.run(main())
    return app


@given(st.lists(st.text(min_size=1, max_size=30), max_size=8, unique=True), st.integers(20, 60))
def test_chips_never_overlap_and_stay_inside(stops: list[str], width: int) -> None:
    spots = lay_out(stops, width)
    assert [spot.index for spot in spots if spot.kind == "chip"] == list(range(len(stops)))
    cells: set[tuple[int, int]] = set()
    for spot in spots:
        mine = {(spot.y, spot.x + i) for i in range(spot.width)}
        assert not mine & cells
        assert spot.x + spot.width <= max(width, spot.width)
        assert spot.width == sum(map(cell_width, spot.text))
        cells |= mine


def test_the_usual_stop_strings_are_offered_until_they_are_there() -> None:
    assert [spot.text for spot in lay_out(RECIPE, 40)] == [" ⏎ ×", " 用户: ×", "+。", "+；", "+…"]
    assert [spot.text for spot in lay_out(("。", "；"), 40)] == [" 。 ×", " ； ×", "+…"]


def test_a_stop_string_cannot_break_the_screen() -> None:
    (chip, *_rest) = lay_out(("[bold]\x1b[2J",), 40)
    assert "\x1b" not in chip.text

    async def script(app: ChipsApp, pilot: Pilot[None]) -> None:
        text = "".join(segment.text for segment in app.row.render_line(0))
        assert "[/b]" in text

    drive(script, ("[/b]",))


def test_one_key_adds_and_removes_the_usual_ones() -> None:
    async def script(app: ChipsApp, pilot: Pilot[None]) -> None:
        await pilot.press("full_stop", "fullwidth_semicolon", "full_stop")

    assert drive(script).heard == [(*RECIPE, "。"), (*RECIPE, "。", "；"), (*RECIPE, "；")]


def test_delete_removes_the_chip_under_the_cursor() -> None:
    async def script(app: ChipsApp, pilot: Pilot[None]) -> None:
        await pilot.press("right", "delete", "left", "delete", "delete")

    app = drive(script)
    assert app.heard == [("\n",), ()]


def test_a_chip_is_edited_in_place_and_a_new_one_added() -> None:
    async def script(app: ChipsApp, pilot: Pilot[None]) -> None:
        line = app.query_one(Input)
        await pilot.press("enter")
        assert line.value == "\\n"
        line.value = "\\n\\n"
        await pilot.press("enter")
        assert app.focused is app.row
        await pilot.press("plus")
        assert line.display
        line.value = "问："
        await pilot.press("enter")
        await pilot.press("plus", "enter")  # empty: nothing happens

    assert drive(script).heard == [("\n\n", "用户:"), ("\n\n", "用户:", "问：")]


def test_escape_and_leaving_end_the_edit_without_a_change() -> None:
    async def script(app: ChipsApp, pilot: Pilot[None]) -> None:
        line = app.query_one(Input)
        await pilot.press("enter", "x", "escape")
        assert not line.display
        assert app.focused is app.row
        await pilot.press("enter", "x")
        app.query_one(TextArea).focus()
        await pilot.pause()
        assert not line.display

    assert drive(script).heard == []


def test_the_same_stop_string_twice_is_one() -> None:
    async def script(app: ChipsApp, pilot: Pilot[None]) -> None:
        await pilot.press("plus")
        app.query_one(Input).value = "用户:"
        await pilot.press("enter")

    assert drive(script).heard == []


def test_the_mouse_does_it_all() -> None:
    async def script(app: ChipsApp, pilot: Pilot[None]) -> None:
        def at(number: int, last: bool = False) -> tuple[int, int]:
            spot = app.row._spots[number]
            return spot.x + (spot.width - 1 if last else 1), spot.y

        await pilot.click(ChipRow, offset=at(0, last=True))  # its ×
        await pilot.click(ChipRow, offset=at(1))  # +。
        await pilot.click(ChipRow, offset=at(0))  # the text: edit
        assert app.query_one(Input).value == "用户:"
        await pilot.press("escape")
        await pilot.click(ChipRow, offset=at(len(app.row._spots) - 1))  # a new one
        assert app.query_one(Input).value == ""

    assert drive(script).heard == [("用户:",), ("用户:", "。")]


def test_there_are_never_more_than_the_schema_takes() -> None:
    many = tuple(f"s{i}" for i in range(32))

    async def script(app: ChipsApp, pilot: Pilot[None]) -> None:
        await pilot.press("full_stop")

    assert drive(script, many).heard == []
