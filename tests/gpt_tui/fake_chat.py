"""A chat engine without torch, and a bare app around the Chat tab."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Static

import gpt_tui
from core.config import Config, load_config
from core.errors import CheckpointError
from gpt_tui.chat.engine import Entry
from gpt_tui.chat.records import Choice, Ending, Facts, Piece, Question, Voice
from gpt_tui.desk import Desk
from gpt_tui.panes.chat import ChatPane

HERE = Path(gpt_tui.__file__).parent
TOP = (("注意", 0.62), ("我", 0.2), ("<eos>", 0.05), ("\x1b", 0.01))


def pieces_of(text: str) -> list[Piece]:
    """One token per character, less and less likely."""
    return [Piece(char, char, max(0.02, 0.95 - 0.2 * i), ((char, 0.9 - 0.2 * (i % 4)), *TOP)) for i, char in
            enumerate(text)]  # fmt: skip


class FakeChat:
    """Answers a question with the text in ``answers``, or with an echo. With ``hold`` it waits at each token
    until ``step`` lets it go on."""

    def __init__(self, *entries: Entry) -> None:
        self.entries = list(entries)
        self.answers: dict[str, str] = {}
        self.asked: list[tuple[Choice, Question]] = []
        self.loads: list[Choice] = []
        self.marks: dict[Choice, int] = {}
        self.broken: dict[str, Exception] = {}
        """By checkpoint: what loading it raises."""
        self.ending = ("end", "")
        self.closed = 0
        self.hold = False
        self.rate = 300.0
        self._turns = threading.Semaphore(0)

    def step(self, tokens: int = 1) -> None:
        self._turns.release(tokens)

    def runs(self, folder: Path) -> list[Entry]:
        return self.entries

    def mark(self, choice: Choice) -> int | None:
        return None if choice.live else self.marks.get(choice, 1)

    def load(self, choice: Choice) -> Voice:
        self.loads.append(choice)
        if choice.checkpoint in self.broken:
            raise self.broken[choice.checkpoint]
        if choice.run is None:
            raise CheckpointError("{path}: no such checkpoint", path=choice.checkpoint)
        config = Config().update({"sampling.temperature": 0.5, "sampling.stop": ["\n", "用户:"]})
        small = choice.checkpoint == "int8"
        size = 0 if choice.live else 3_500_000 if small else 13_600_000
        return Voice(
            choice, config, Facts(300 * self.marks.get(choice, 1), "int8" if small else "fp32", 3_400_000, size)
        )

    def ask(self, voice: Voice, question: Question) -> Iterator[Piece | Ending]:
        self.asked.append((voice.model, question))
        text = self.answers.get(question.text, f"答：{question.text}")
        if voice.model.checkpoint == "int8":
            text = self.answers.get("int8", text)
        try:
            for piece in pieces_of(text):
                if self.hold:
                    self._turns.acquire(timeout=10)
                yield piece
            yield Ending(text, *self.ending, len(text), self.rate)
        finally:
            self.closed += 1


class ChatApp(App[None]):
    """The Chat tab alone."""

    CSS_PATH: ClassVar[list[Path]] = [HERE / "app.tcss", HERE / "panes" / "chat.tcss"]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, engine: FakeChat | None, runs_dir: Path) -> None:
        super().__init__()
        self.animation_level = "none"
        config = load_config("teacher")
        self.desk = Desk(config, config, runs_dir)
        self.pane = ChatPane(self.desk, engine)
        self.copied: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.pane

    def copy_to_clipboard(self, text: str) -> None:
        self.copied.append(text)

    def screen_text(self) -> str:
        """What stands on the screen."""
        return "\n".join(strip.text for strip in self.screen._compositor.render_strips())


async def opened(app: ChatApp, pilot: Pilot[None]) -> None:
    """The tab as it is after it was opened: runs listed, the model loaded."""
    app.pane.shown()
    await until(pilot, lambda: app.pane.room.listed)
    await settled(app, pilot)


async def settled(app: ChatApp, pilot: Pilot[None]) -> None:
    """Until nothing is being answered or loaded, and the screen shows it."""
    pane = app.pane

    def quiet() -> bool:
        state = str(pane.query_one("#model-a .state", Static).content)
        shown = pane.room.choice is None or state not in ("", "… loading")
        return shown and not pane.room.answerer.busy and not pane.room._open and not pane._timer._active.is_set()

    await pilot.pause()  # what was just asked for has begun
    await until(pilot, quiet)
    await pilot.pause()


async def until(pilot: Pilot[None], true: object, seconds: float = 10.0) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen"
        await pilot.pause(0.02)
    await pilot.pause()


async def ask(app: ChatApp, pilot: Pilot[None], text: str) -> None:
    """Type a question, send it, wait for the answer."""
    app.pane.dialogue.prompt.put(text)
    await pilot.press("enter")
    await settled(app, pilot)
