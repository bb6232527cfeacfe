"""The panel beside the conversation: how to answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from ..chat.options import FIELDS, Options, help_of
from ..i18n import _
from .chat_prompt import SafeInput
from .chips import StopChips


class Tick(Widget, can_focus=True):
    """On or off as ``[x]`` or ``[ ]``: Textual's own box shows the same sign in another colour."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space", "switch", show=False)]

    @dataclass
    class Changed(Message):
        value: bool

    def __init__(self, label: str, value: bool) -> None:
        super().__init__()
        self.label, self.value = label, value

    def show(self, value: bool) -> None:
        """Set from outside; posts nothing."""
        if value != self.value:
            self.value = value
            self.refresh()

    def render(self) -> Content:
        return Content(f"[{'x' if self.value else ' '}] {self.label}")

    def action_switch(self) -> None:
        self.show(not self.value)
        self.post_message(self.Changed(self.value))

    def on_click(self) -> None:
        self.action_switch()


class OptionsPanel(VerticalScroll, can_focus=False):
    """A line per setting, the stop strings as chips, and a sentence about the field one is in."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]

    @dataclass
    class Changed(Message):
        options: Options

    def __init__(self, options: Options, id: str | None = None) -> None:
        super().__init__(id=id)
        self.options = options
        self._before = options
        """What held when the focus came to the present field."""

    def compose(self) -> ComposeResult:
        for name, label in FIELDS:
            with Horizontal(classes="field"):
                yield Static(_(label), markup=False, classes="name")
                yield SafeInput(self.options.text(name), compact=True, max_length=20, placeholder="–",
                                id=f"option-{name}")  # fmt: skip
        yield Tick(_("with history"), self.options.with_history)
        yield Static(_("the answer stops at"), markup=False, classes="heading")
        yield StopChips(tuple(self.options.sampling.stop))
        yield Static("", markup=False, classes="help")

    def show(self, options: Options) -> None:
        """Other options, set from outside; fields a person is typing in stay as they are."""
        self.options = options
        with self.prevent(SafeInput.Changed):
            for name, _label in FIELDS:
                line = self.query_one(f"#option-{name}", SafeInput)
                if not line.has_focus and line.value != options.text(name):
                    line.value = options.text(name)
                    line.remove_class("-wrong")
        self.query_one(Tick).show(options.with_history)
        self.query_one(StopChips).show(tuple(options.sampling.stop))

    def _set(self, options: Options) -> None:
        if options != self.options:
            self.options = options
            self.post_message(self.Changed(options))

    @on(SafeInput.Changed)
    def _typed(self, event: SafeInput.Changed) -> None:
        event.stop()
        name = _field_of(event.input)
        try:
            options = self.options.changed(name, event.value)
        except ValueError as problem:
            event.input.add_class("-wrong")
            self._say(f"✗ {problem}", error=True)
            return
        if event.input.has_class("-wrong"):
            event.input.remove_class("-wrong")
            self._say(help_of(name))
        self._set(options)

    @on(SafeInput.Submitted)
    def _entered(self, event: SafeInput.Submitted) -> None:
        event.stop()
        self.screen.focus_next()

    @on(SafeInput.Blurred)
    def _left(self, event: SafeInput.Blurred) -> None:
        """What is wrong does not hold, nor what was typed on the way to it: 3000 of 30000."""
        event.stop()
        if event.input.has_class("-wrong"):
            event.input.remove_class("-wrong")
            name = _field_of(event.input)
            self._set(self.options.changed(name, self._before.text(name)))
            with self.prevent(SafeInput.Changed):
                event.input.value = self.options.text(name)

    @on(Tick.Changed)
    def _history_switched(self, event: Tick.Changed) -> None:
        event.stop()
        self._set(Options(self.options.sampling, self.options.seed, event.value))

    @on(StopChips.Changed)
    def _stops_changed(self, event: StopChips.Changed) -> None:
        event.stop()
        self._set(self.options.with_stops(event.stops))

    def on_descendant_focus(self) -> None:
        focused = self.screen.focused
        if isinstance(focused, SafeInput) and (focused.id or "").startswith("option-"):
            self._before = self.options
            self._say(help_of(_field_of(focused)))
        elif isinstance(focused, Tick):
            self._say(_("Take the conversation so far along with each question."))
        else:
            self._say(_("←→ choose · Enter edit · Del remove · . and ; for 。 and ；"))

    def _say(self, text: str, *, error: bool = False) -> None:
        line = self.query_one(".help", Static)
        line.update(Content(text))
        line.set_class(error, "-error")


def _field_of(line: object) -> str:
    return (getattr(line, "id", None) or "").removeprefix("option-")
