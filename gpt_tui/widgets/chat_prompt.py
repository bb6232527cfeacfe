"""The line a question is typed into: Enter asks, and arrows beyond its edges walk through earlier questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input, TextArea

from core.text import printable


class SafeInput(Input):
    """An input into which nothing can be pasted that a terminal would obey. Its cursor does not blink: each
    blink would be a paint, and paints move the window in which Chinese is composed."""

    def on_mount(self) -> None:
        self.cursor_blink = False

    def _on_paste(self, event: events.Paste) -> None:
        # Textual calls the handler of every base class by itself, after this one.
        event.text = printable(event.text.partition("\n")[0].rstrip("\r"))


class Prompt(TextArea):
    """Several lines are possible (Ctrl+J), one is usual."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+j,shift+enter,alt+enter", "new_line", show=False),
        # What the tab or the app does with these keys is meant, not what a text editor does.
        Binding("ctrl+y", "tell('copy')", "Copy"),
        Binding("ctrl+z", "app.suspend", show=False),
    ]

    @dataclass
    class Submitted(Message):
        text: str

    @dataclass
    class Walked(Message):
        """An arrow key at the edge: to the earlier (-1) or later (1) question."""

        by: int

    @dataclass
    class Told(Message):
        action: str

    def __init__(self, text: str = "", placeholder: str = "", id: str | None = None) -> None:
        super().__init__(text, id=id, compact=True, highlight_cursor_line=False, placeholder=placeholder)
        self.cursor_blink = False

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self.post_message(self.Submitted(self.text))

    async def _on_paste(self, event: events.Paste) -> None:
        event.text = printable(event.text.replace("\r\n", "\n").replace("\r", "\n"), keep_newlines=True)

    def action_new_line(self) -> None:
        self.insert("\n")

    def action_tell(self, action: str) -> None:
        self.post_message(self.Told(action))

    def action_cursor_up(self, select: bool = False) -> None:
        if not select and self.wrapped_document.location_to_offset(self.cursor_location).y == 0:
            self.post_message(self.Walked(-1))
        else:
            super().action_cursor_up(select)

    def action_cursor_down(self, select: bool = False) -> None:
        last = self.wrapped_document.height - 1
        if not select and self.wrapped_document.location_to_offset(self.cursor_location).y >= last:
            self.post_message(self.Walked(1))
        else:
            super().action_cursor_down(select)

    def put(self, text: str) -> None:
        """Replace everything, the caret behind it."""
        self.load_text(printable(text, keep_newlines=True))
        self.move_cursor(self.document.end)
