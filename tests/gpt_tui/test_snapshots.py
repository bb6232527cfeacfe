"""Pictures of the app, compared as text. After a wanted change of its looks make them anew, and look at them:

GPT_TUI_SNAPSHOTS=write python -m pytest tests/gpt_tui/test_snapshots.py
"""

from __future__ import annotations

import difflib
import html
import json
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import gmtime
from typing import Any

import pytest
import textual
from textual.pilot import Pilot

from core.events import Eval, Event, Step
from gpt_tui import i18n
from gpt_tui.app import GptApp
from gpt_tui.chat.engine import Entry
from gpt_tui.desk import Desk
from gpt_tui.panes.chat import ChatPane
from gpt_tui.panes.runs import RunsPane
from gpt_tui.session import Session
from gpt_tui.widgets.form_row import FieldRow
from gpt_tui.widgets.run_table import RunTable
from gpt_tui.widgets.token_row_pages import RowPages

from .app_desk import begin, make_desk, play, screen_text, until
from .fake_chat import FakeChat
from .fake_engine import FakeEngine

FOLDER = Path(__file__).parent / "snapshots"
MADE_WITH = FOLDER / "textual-version.txt"
WRITE = os.environ.get("GPT_TUI_SNAPSHOTS") == "write"


def picture(app: GptApp) -> str:
    """The screen as SVG, without what differs from one making to the next: the id that all its names begin with."""
    svg = app.export_screenshot(title="gpt-tui")
    return "\n".join(line.rstrip() for line in re.sub(r"terminal-\d+", "terminal", svg).splitlines()) + "\n"


def words(svg: str) -> list[str]:
    """The lines of text in a picture, for a failure that can be read."""
    rows: dict[str, str] = {}
    for attributes, text in re.findall(r"<text ([^>]*)>(.*?)</text>", svg):
        place = re.search(r'y="([\d.]+)"', attributes)
        rows[place.group(1) if place else ""] = rows.get(place.group(1) if place else "", "") + html.unescape(text)
    return [row.replace("\xa0", " ") for row in rows.values()]


def compare(name: str, svg: str) -> None:
    file = FOLDER / f"{name}.svg"
    if WRITE:
        file.write_text(svg, encoding="utf-8")
        MADE_WITH.write_text(f"{textual.__version__}\n", encoding="utf-8")
        return
    before = file.read_text(encoding="utf-8")
    if svg != before:
        changed = list(difflib.unified_diff(words(before), words(svg), "as it was", "now", lineterm="", n=0))
        pytest.fail("\n".join([f"{file.name} looks different", *(changed or ["only in its colours"])]), pytrace=False)


@pytest.fixture(autouse=True)
def _same_textual() -> None:
    made_with = MADE_WITH.read_text(encoding="utf-8").strip() if MADE_WITH.is_file() else ""
    if not WRITE and made_with != textual.__version__:
        pytest.skip(f"the pictures were made with textual {made_with}, here is {textual.__version__}")


def look_of(monkeypatch: pytest.MonkeyPatch, language: str, *, no_color: bool) -> None:
    """What a picture looks like, whatever the environment says."""
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    else:
        monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(i18n, "_language", language)


@pytest.mark.parametrize(
    ("name", "size", "language", "theme", "no_color"),
    [
        ("train-80x24", (80, 24), "en", "textual-dark", False),
        ("train-120x40-chinese", (120, 40), "zh", "textual-dark", False),
        ("train-80x24-ansi", (80, 24), "en", "ansi-dark", False),
        ("train-80x24-no-color", (80, 24), "en", "textual-dark", True),
    ],
)
def test_a_training_that_is_over(
    name: str, size: tuple[int, int], language: str, theme: str, no_color: bool, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    look_of(monkeypatch, language, no_color=no_color)
    monkeypatch.setattr("gpt_tui.panes.train.resident_memory", lambda: 512_000_000)
    desk = make_desk(Path("runs"))
    desk.session = Session(FakeEngine(steps=40), clock=lambda: 1000.0)
    monkeypatch.chdir(tmp_path)  # the log names the run's path: it must be the same everywhere

    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        app.theme = theme
        begin(desk)
        assert desk.session.join(30.0)
        app.tick()
        await pilot.pause()
        app.tick()
        await pilot.pause()
        assert "40/40" in screen_text(app)
        compare(name, picture(app))

    play(desk, scene, size, tabs=("train",))


def take(
    name: str, desk: Desk, ready: Callable[[GptApp, Pilot[Any]], Awaitable[None]], theme: str = "textual-dark"
) -> None:
    """Compare the picture of one tab at 80×24, once it is ``ready``."""
    tab = name.split("-")[0]

    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        app.theme = theme
        app.action_tab(tab)
        await pilot.pause()
        await ready(app, pilot)
        await pilot.pause()
        compare(name, picture(app))

    play(desk, scene, (80, 24), tabs=(tab,))


def test_a_conversation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look_of(monkeypatch, "zh", no_color=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    chat = FakeChat(Entry(Path("runs/teacher-1"), ("last", "best", "int8")))
    chat.answers["什么是水？"] = "水是由氢和氧组成的物质。"
    monkeypatch.setattr("gpt_tui.panes.chat.ModelEngine", lambda *_: chat)

    async def ready(app: GptApp, pilot: Pilot[Any]) -> None:
        pane = app.main.pane
        assert isinstance(pane, ChatPane)
        await until(pilot, lambda: pane.room.options_known)
        for question in ("什么是水？", "[b]what[/b] is \x1b[31m?"):
            pane.dialogue.prompt.put(question)
            await pane.dialogue.send()
            await until(pilot, lambda: not pane.room.busy and not pane.room._open)
        await until(pilot, lambda: "300" in screen_text(app))

    take("chat-80x24-chinese", make_desk(Path("runs")), ready)


def test_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look_of(monkeypatch, "en", no_color=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gpt_tui.widgets.form_facts.gather", lambda *_: iter(()))  # nothing that this machine tells

    async def ready(app: GptApp, pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: app.main.pane.query(FieldRow))
        await pilot.press("down", "down", "9")
        await until(pilot, lambda: "parameters" in screen_text(app))

    take("config-80x24-ansi", make_desk(Path("runs")), ready, "ansi-dark")


def test_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look_of(monkeypatch, "en", no_color=True)
    monkeypatch.chdir(tmp_path)
    rows = {f"第{n}个问题：水在多少度时沸腾？": "水在一百度时沸腾。" * (1 + 9 * (n % 2)) for n in range(12)}
    desk = make_desk(Path("runs"))
    helper = [{"prompt": p, "completion": c} for p, c in rows.items()]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in helper), encoding="utf-8")
    desk.config = desk.config.update(
        {"data.train": "rows.jsonl", "data.valid": None, "tokenizer.vocab_size": 320, "model.seq_len": 64}
    )

    async def ready(app: GptApp, pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: "12" in screen_text(app))  # the report is the first thing to see
        await pilot.press("w")
        await until(pilot, lambda: app.main.pane.query(RowPages) and "«" in screen_text(app))

    take("data-80x24-no-color", desk, ready)


def test_the_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look_of(monkeypatch, "zh", no_color=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gpt_tui.widgets.run_table.localtime", gmtime)
    for number, name in enumerate(("teacher-1", "很长的中文名字的训练", "[red]x[")):
        folder = Path("runs", name)
        (folder / "checkpoints" / "step-00000040").mkdir(parents=True)
        (folder / "config.yaml").write_text("recipe: teacher\n", encoding="utf-8")
        (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
        events: list[Event] = [Step(n, 6.0 / (n + number), 1e-3, 1.0, 900.0, float(n), None) for n in range(1, 41)]
        losses = [(n, 7.0 / (n + number)) for n in range(4, 41, 4)]
        events += [Eval(n, loss, loss, n, True) for n, loss in losses]
        lines = [json.dumps(event.to_json()) + "\n" for event in events]
        (folder / "metrics.jsonl").write_text("".join(lines), encoding="utf-8")
        for file in folder.iterdir():
            os.utime(file, (1_700_000_000.0 - 100 * number,) * 2)

    async def ready(app: GptApp, pilot: Pilot[Any]) -> None:
        pane = app.main.pane
        assert isinstance(pane, RunsPane)
        await until(pilot, lambda: pane.query_one(RunTable).row_count == 3)
        await pilot.press("space", "space")
        await until(pilot, lambda: len(pane._marked) == 2 and set(pane._marked) <= set(pane._found.losses))

    take("runs-80x24-chinese", make_desk(Path("runs")), ready)
