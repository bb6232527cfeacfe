"""The pictures of the app in ``docs/pictures``: a real training of the recipe ``teacher`` and a real conversation.

    python tools/pictures.py [FOLDER [THREADS]]

The app trains in a terminal that is not there, and saves its screen after an evaluation behind the middle of the
training, then the conversation with the weights as they are by then, both in English and in Chinese. This takes a few
minutes. Fonts are named, not loaded: nothing in the pictures comes from a network.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import os
import re
import sys
import tempfile
from itertools import groupby
from pathlib import Path

from textual.pilot import Pilot

from core.config import load_config
from core.text import cell_width
from gpt_tui import i18n
from gpt_tui.app import GptApp
from gpt_tui.desk import Desk
from gpt_tui.leaving import Leave
from gpt_tui.panes.chat import ChatPane
from gpt_tui.settings import AppSettings

LARGE, SMALL = (120, 40), (80, 24)
BEHIND = 270
"""The step from which on the screen is worth a picture: the answers come right, and half the training is to come."""
QUESTIONS = ("什么是注意力机制？", "解释蒸馏水与纯水区别？", "今天天气怎么样？")
FONTS = "DejaVu Sans Mono, Menlo, Consolas, Noto Sans Mono CJK SC, Microsoft YaHei, PingFang SC, monospace"


TEXT = re.compile(r'<text([^>]*?) x="([\d.]+)"([^>]*?) textLength="([\d.]+)"([^>]*)>([^<]*)</text>')


def in_cells(match: re.Match[str]) -> str:
    """A piece of text cut where its characters change their width: a Chinese one takes two cells, and the export
    counts characters."""
    before, x, middle, length, after, content = match.groups()
    text = html.unescape(content)
    cell, at, pieces = float(length) / max(1, len(text)), float(x), []
    for width, group in groupby(text, cell_width):
        run = "".join(group)
        wide = cell * width * len(run)
        shown = html.escape(run).replace(" ", "&#160;")
        pieces.append(f'<text{before} x="{at:g}"{middle} textLength="{wide:g}"{after}>{shown}</text>')
        at += wide
    return "".join(pieces)


def tidy(svg: str) -> str:
    """An exported screen with Chinese in its cells, without fonts from a network and without trailing blanks."""
    svg = TEXT.sub(in_cells, svg)
    svg = re.sub(r"@font-face\s*\{[^}]*\}", "", svg)
    svg = re.sub(r"font-family: ?[^;]*;", f"font-family: {FONTS};", svg)
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


class Photographer:
    """Waits for what is worth seeing and saves it."""

    def __init__(self, app: GptApp, pilot: Pilot[Leave], folder: Path) -> None:
        self.app, self.pilot, self.folder = app, pilot, folder

    async def both(self, name: str, size: tuple[int, int]) -> None:
        """The screen as it is, in English and in Chinese."""
        await self.pilot.resize_terminal(*size)
        for ending in ("", ".zh"):
            await self.pilot.pause(2.0)
            self.app.clear_notifications()
            await self.pilot.pause(0.5)
            file = self.folder / f"{name}{ending}.svg"
            file.write_text(tidy(self.app.export_screenshot(title="gpt-tui")), encoding="utf-8")
            print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")
            await self.app.action_language()

    async def training(self) -> None:
        self.app.start_training()
        shown = -1
        while True:
            snapshot = self.app.desk.session.snapshot()
            if snapshot.failure is not None:
                raise SystemExit(snapshot.failure.line())
            if snapshot.step // 50 > shown:
                shown = snapshot.step // 50
                print(f"step {snapshot.step}")
            asked = max((probe.step for probe in snapshot.probes), default=0)
            if asked >= BEHIND and snapshot.state == "running":
                break
            await asyncio.sleep(0.2)
        await self.both("app-train", LARGE)

    async def conversation(self) -> None:
        await self.pilot.resize_terminal(*SMALL)
        await self.pilot.press("3")
        pane = self.app.main.panes["chat"]
        assert isinstance(pane, ChatPane)
        while pane.room.choice is None:
            await self.pilot.pause(0.1)
        for question in QUESTIONS:
            pane.dialogue.prompt.put(question)
            await pane.dialogue.send()
            while pane.room.busy:
                await self.pilot.pause(0.1)
            await self.pilot.pause(0.5)
        await self.both("app-chat", SMALL)


async def photograph(folder: Path, runs: Path, threads: int | None) -> None:
    i18n.set_language("en")
    config = load_config("teacher").update({"training.threads": threads})
    settings = AppSettings()
    settings.put("theme", "textual-dark")
    app = GptApp(Desk(config, config, runs, run_name="teacher-1", settings=settings))
    async with app.run_test(size=LARGE) as pilot:
        while not app.main.complete:
            await pilot.pause(0.1)
        photographer = Photographer(app, pilot, folder)
        await photographer.training()
        await photographer.conversation()
        app.desk.session.stop(discard=True)
        app.desk.session.join(60.0)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "docs" / "pictures"
    threads = int(sys.argv[2]) if len(sys.argv) > 2 else None
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as runs:
        here, target = os.getcwd(), folder.resolve()
        os.chdir(runs)  # so that the paths on the screen are short, and nobody's own
        with contextlib.ExitStack() as stack:
            stack.callback(os.chdir, here)
            asyncio.run(photograph(target, Path("runs"), threads))


if __name__ == "__main__":
    main()
