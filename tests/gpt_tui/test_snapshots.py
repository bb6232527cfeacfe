"""Pictures of the app, compared as text. After a wanted change of its looks make them anew, and look at them:

GPT_TUI_SNAPSHOTS=write python -m pytest tests/gpt_tui/test_snapshots.py
"""

from __future__ import annotations

import difflib
import html
import os
import re
from pathlib import Path
from typing import Any

import pytest
import textual
from textual.pilot import Pilot

from gpt_tui import i18n
from gpt_tui.app import GptApp
from gpt_tui.session import Session

from .app_desk import begin, make_desk, play, screen_text
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
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    else:
        monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(i18n, "_language", language)
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
