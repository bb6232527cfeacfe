"""One question to two models: what is said about it, and how it stands on the screen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from gpt_tui.chat.conversation import Exchange
from gpt_tui.chat.engine import Entry
from gpt_tui.chat.pair import Pair, Side, first_difference, verdict
from gpt_tui.chat.records import Choice, Facts
from gpt_tui.widgets.chat_picker import ModelPicker
from gpt_tui.widgets.compare import PairView, SideView

from .fake_chat import ChatApp, FakeChat, ask, opened, settled, until

RUN = Path("/runs/teacher-1")


@pytest.fixture(autouse=True)
def _own_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


def pair(a: str, b: str, tokens: int = 20) -> Pair:
    def side(name: str, text: str, size: int, rate: float) -> Side:
        exchange = Exchange("问", text, tokens=tokens, rate=rate, facts=Facts(1, name, 1000, size))
        return Side(Choice(RUN, name), exchange)

    return Pair("问", [side("last", a, 12_000_000, 200.0), side("int8", b, 3_000_000, 300.0)])


def drive(
    engine: FakeChat, script: Callable[[ChatApp, Pilot[None]], Awaitable[None]], size: tuple[int, int] = (80, 24)
) -> ChatApp:
    app = ChatApp(engine, Path("/runs"))

    async def main() -> None:
        async with app.run_test(size=size) as pilot:
            await opened(app, pilot)
            await script(app, pilot)

    asyncio.run(main())
    return app


def engine() -> FakeChat:
    return FakeChat(Entry(RUN, ("last", "best", "int8")))


# -- the verdict ------------------------------------------------------------------------------------------------


@given(st.text(), st.text())
def test_where_answers_part(a: str, b: str) -> None:
    place = first_difference(a, b)
    if place is None:
        assert a == b
    else:
        assert a[:place] == b[:place]
        assert a[place : place + 1] != b[place : place + 1]


def test_the_verdict_names_difference_size_and_speed() -> None:
    assert verdict(pair("注意力", "注意力")) == (
        "= the same answer · on disk 12.0 MB and 3.0 MB (×0.25) · 200 and 300 tok/s (×1.50)"
    )
    assert verdict(pair("注意力", "注重")).startswith("≠ they part at character 2 · ")


def test_the_verdict_keeps_silent_about_what_it_does_not_know() -> None:
    assert "tok/s" not in verdict(pair("a", "a", tokens=3))  # too few to time
    live = pair("a", "a")
    live.sides[0].exchange.facts = Facts(bytes=0)
    assert "on disk" not in verdict(live)
    failed = pair("a", "a")
    failed.sides[1].exchange.error = "damaged"
    assert verdict(failed) == ""
    stopped = pair("a", "a")
    stopped.sides[1].exchange.reason = "user"
    assert verdict(stopped) == ""


# -- on the screen ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_two_answers_stand_side_by_side(size: tuple[int, int]) -> None:
    chat = engine()
    chat.answers = {"什么是注意力机制？": "分配权重让模型关注关键位置", "int8": "分配权重使模型关注"}

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        await pilot.press("ctrl+b")
        await settled(app, pilot)
        await ask(app, pilot, "什么是注意力机制？")
        text = app.screen_text()
        for words in ("分配权重让模型", "分配权重使模型", "13.6 MB", "3.5 MB", "fp32", "int8", "300 tok/s", "≠"):
            assert words in text, words
        a, b = app.query(SideView)
        assert a.region.y == b.region.y
        assert a.region.right <= b.region.x
        assert b.region.right <= size[0]

    drive(chat, script, size)
    assert [choice.checkpoint for choice, _question in chat.asked] == ["last", "int8"]


def test_escape_stops_both_and_then_leaves() -> None:
    chat = engine()
    chat.hold = True

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        await pilot.press("ctrl+b")
        await settled(app, pilot)
        app.pane.dialogue.prompt.put("问题")
        await pilot.press("enter")
        chat.step(2)
        await until(pilot, lambda: len(app.pane.room.pairs[0].sides[0].exchange.pieces) == 2)
        await pilot.press("escape")
        chat.step(9)
        await settled(app, pilot)
        assert [side.exchange.reason for side in app.pane.room.pairs[0].sides] == ["user", "user"]
        assert len(chat.asked) == 1  # the second was never begun
        await pilot.press("escape")
        assert app.pane.dialogue.view == "talk"

    drive(chat, script)


def test_one_side_may_fail_in_place() -> None:
    chat = engine()
    chat.broken = {"int8": OSError("no space")}

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        await pilot.press("ctrl+b")
        await settled(app, pilot)
        await ask(app, pilot, "问")
        text = app.screen_text()
        assert "答：问" in text
        assert "✗ OSError: no space" in text
        assert "✗" in str(app.query_one("#model-b .state").render())

    drive(chat, script)


def test_the_second_model_can_be_another_one() -> None:
    chat = engine()

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        await pilot.press("ctrl+b")
        await settled(app, pilot)
        app.query_one("#model-b", ModelPicker).query_one(".checkpoint").value = "best"  # type: ignore[attr-defined]
        await settled(app, pilot)
        await ask(app, pilot, "问")
        await pilot.press("ctrl+r")  # the same once more, in its place
        await settled(app, pilot)
        assert len(app.query(PairView)) == 1

    drive(chat, script)
    assert [choice.checkpoint for choice, _question in chat.asked] == ["last", "best", "last", "best"]


def test_copy_takes_both_and_tokens_the_marked_one() -> None:
    chat = engine()
    chat.answers = {"问": "甲", "int8": "乙"}

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        await pilot.press("ctrl+b")
        await settled(app, pilot)
        await ask(app, pilot, "问")
        await pilot.press("ctrl+y")
        assert app.copied == ["teacher-1 · last: 甲\nteacher-1 · int8: 乙"]
        await pilot.click(app.query(SideView).last())
        await pilot.press("ctrl+y", "ctrl+t")
        await pilot.pause()
        assert app.copied[-1] == "乙"
        assert "乙" in app.screen_text()
        assert "token 1 of 1" in app.screen_text()
        await pilot.press("escape")
        assert app.pane.dialogue.view == "compare"

    drive(chat, script)
