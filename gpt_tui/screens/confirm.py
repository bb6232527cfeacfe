"""A question with one harmful answer: it says what will happen, and the harmless answer has the focus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from core.text import printable

from ..i18n import _


class Confirm(ModalScreen[bool]):
    """Dismissed with True only for the harmful answer."""

    DEFAULT_CSS = """
    Confirm {
        align: center middle;
        background: $background 60%;
        & > Vertical {
            width: 64;
            max-width: 94%;
            height: auto;
            max-height: 90%;
            padding: 1 2;
            border: round $warning;
            background: $surface;
        }
        & Static { height: auto; }
        & .confirm--title { text-style: bold; margin-bottom: 1; }
        & Horizontal { height: auto; align-horizontal: right; margin-top: 1; }
        & Button { margin-left: 2; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "answer(False)", show=False),
        Binding("y", "answer(True)", show=False),
        Binding("left,up", "app.focus_previous", show=False),
        Binding("right,down", "app.focus_next", show=False),
    ]

    def __init__(self, title: str, lines: Sequence[str], yes: str) -> None:
        super().__init__()
        self._title, self._lines, self._yes = title, lines, yes

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Content(f"! {printable(self._title)}"), classes="confirm--title")
            for line in self._lines:
                yield Static(Content(printable(line)))
            with Horizontal():
                # The one with the focus is the harmless one, so that Enter out of habit does nothing.
                yield Button(Content(_("Cancel (n)")), id="no")
                yield Button(Content(f"{self._yes} (y)"), id="yes", variant="error")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)
