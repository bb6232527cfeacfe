"""The controls of the form: a line of text, a switch, a choice. Each one line high, each safe with any text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Select, Static

from core.text import printable

from ..i18n import _


class TextBox(Input):
    """A line of text that never holds a character which a terminal would obey."""

    def __init__(
        self, value: str = "", *, id: str | None = None, classes: str | None = None, select: bool = False,
        placeholder: str = "",
    ) -> None:  # fmt: skip
        super().__init__(printable(value), placeholder, compact=True, select_on_focus=select, id=id, classes=classes)
        self.cursor_blink = False

    def validate_value(self, value: str) -> str:
        """Pasted or set, control characters become visible ones."""
        return printable(value)


class SwitchBox(Static, can_focus=True):
    """On or off, as a sign and a word; Enter, the space bar or a click turns it."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space", "turn", show=False)]

    class Turned(Message):
        def __init__(self, box: SwitchBox) -> None:
            super().__init__()
            self.box = box

    def __init__(self, on: bool) -> None:
        super().__init__()
        self._on = on

    def on_mount(self) -> None:
        self.turn(self._on)

    @property
    def is_on(self) -> bool:
        return self._on

    def turn(self, on: bool) -> None:
        self._on = on
        self.update(Content(f"[✓] {_('on')}" if on else f"[ ] {_('off')}"))

    def action_turn(self) -> None:
        self.turn(not self._on)
        self.post_message(self.Turned(self))

    def on_click(self, event: events.Click) -> None:
        event.stop()
        if not self.disabled:
            self.action_turn()


class ChoiceBox(Select[str], inherit_bindings=False):
    """One of a few words. Left and right step through them; Enter or the space bar opens the list.

    Up and down are not taken: they go from field to field. The words are ``Text``: only that is searched when
    somebody types, and is no markup.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "show_overlay", show=False),
        Binding("left", "step(-1)", show=False),
        Binding("right", "step(1)", show=False),
    ]

    def __init__(self, words: Sequence[tuple[str, str]], value: str, *, id: str | None = None) -> None:
        """``words``: what is shown, and what it stands for."""
        self._words = [word for _shown, word in words]
        super().__init__(
            [(Text(printable(shown)), word) for shown, word in words],
            value=value, allow_blank=False, compact=True, id=id,
        )  # fmt: skip

    def offer(self, words: Sequence[tuple[str, str]], value: str) -> None:
        """Other words to choose from."""
        self._words = [word for _shown, word in words]
        with self.prevent(Select.Changed):
            self.set_options([(Text(printable(shown)), word) for shown, word in words])
            self.value = value

    def action_step(self, by: int) -> None:
        if isinstance(self.value, str):
            self.value = self._words[(self._words.index(self.value) + by) % len(self._words)]


class PressBox(Static, can_focus=True):
    """A word to press."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space", "press", show=False)]

    class Pressed(Message):
        def __init__(self, box: PressBox) -> None:
            super().__init__()
            self.box = box

    def __init__(self, text: str, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(Content(text), id=id, classes=classes)

    def action_press(self) -> None:
        self.post_message(self.Pressed(self))

    def on_click(self, event: events.Click) -> None:
        event.stop()
        if not self.disabled:
            self.action_press()
