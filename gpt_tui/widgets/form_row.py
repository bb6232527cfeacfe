"""One setting in the form: its name, its control, what is special about it, and its help or what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Select, Static

from core.settings import Setting
from core.text import cell_width, shorten

from ..i18n import _
from ..setting_words import help_text, unit_text
from .form_controls import ChoiceBox, SwitchBox, TextBox
from .form_draft import text_of
from .form_list import ListField

#: What an optional switch says when it is neither on nor off.
NEITHER = "auto"
#: Cells of the name and of the control; config.tcss has the same numbers.
NAME_CELLS, CONTROL_CELLS = 27, 22


@dataclass(frozen=True)
class Look:
    """All that a row shows."""

    value: Any
    text: str | None = None
    """What stands in the field where that is no value."""
    problem: str = ""
    was: str | None = None
    """The recipe's value, where it is another one."""
    fixed: bool = False
    """It cannot change while a training runs, and one runs."""
    live: bool = False
    """It can change while a training runs, and one runs."""


class FieldRow(Widget):
    """A row of the form. It only tells what is typed; what becomes of it is decided elsewhere.

    Name and notes are drawn by the row itself, under its control: the layout of a form of fifty rows has to be
    done anew at each key press, and each widget costs.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "take_back", show=False)]

    class Told(Message):
        """Base of what a row says."""

        def __init__(self, row: FieldRow, value: Any = None) -> None:
            super().__init__()
            self.row = row
            self.value = value

    class Entered(Told):
        """The field has the focus now."""

    class Typed(Told):
        """Text, perhaps half a number."""

    class Chosen(Told):
        """A whole value: a switch turned, a choice made, a list edited."""

    class Left(Told):
        """The focus has gone, or Enter was pressed."""

    class Submitted(Told):
        """Enter: on to the next field."""

    class TakenBack(Told):
        """Escape: as it was before, or out of the field."""

    class ResetAsked(Told):
        """Click on the recipe's value."""

    def __init__(self, setting: Setting, look: Look) -> None:
        super().__init__(id="field-" + setting.key.replace(".", "-"), classes=f"form-row -{setting.kind}")
        self.setting = setting
        self._look = look
        self._inside = False
        self._under = ""

    @property
    def key(self) -> str:
        return self.setting.key

    def compose(self) -> ComposeResult:
        yield self._make_control()
        yield Static(classes="form-under")

    def _make_control(self) -> Widget:
        setting, look = self.setting, self._look
        if setting.kind == "list":
            return ListField(self.key, look.value)
        if setting.kind == "bool" and not setting.optional:
            return SwitchBox(bool(look.value))
        if setting.kind == "bool":
            words = [(_("empty"), NEITHER), (_("on"), "on"), (_("off"), "off")]
            return ChoiceBox(words, _switch_word(look.value))
        if setting.kind == "choice":
            return ChoiceBox([(choice, choice) for choice in setting.choices], look.value)
        numeric = setting.kind in ("int", "float")
        return TextBox(text_of(look.value) if look.text is None else look.text, select=numeric)

    def on_mount(self) -> None:
        self._paint()

    @property
    def control(self) -> Widget:
        """What the focus goes to."""
        first = self.children[0]
        return first.first_box if isinstance(first, ListField) else first

    async def show(self, look: Look) -> None:
        """Show this; only what is different is painted anew."""
        if look == self._look:
            return
        before, self._look = self._look, look
        if (look.value, look.text) != (before.value, before.text):
            await self._put(look)
        self._paint()

    async def _put(self, look: Look) -> None:
        control = self.children[0]
        if isinstance(control, ListField):
            await control.show(look.value)
        elif isinstance(control, SwitchBox):
            control.turn(bool(look.value))
        elif isinstance(control, ChoiceBox):
            with control.prevent(Select.Changed):
                control.value = _switch_word(look.value) if self.setting.kind == "bool" else look.value
        elif not self._inside:
            self.tidy()

    def tidy(self) -> None:
        """Write the value as it is always written: 0.001 where 1e-3 was typed."""
        control = self.children[0]
        if isinstance(control, TextBox):
            text = text_of(self._look.value) if self._look.text is None else self._look.text
            if control.value != text:
                with control.prevent(Input.Changed):
                    control.value = text

    # -- drawing ----------------------------------------------------------------------------------------------

    def _paint(self) -> None:
        look = self._look
        under = f"✗ {look.problem}" if look.problem else help_text(self.setting)
        if self.setting.kind == "text" and not look.problem:  # the box takes the whole line
            under = " · ".join([under, *self._notes()])
        if under != self._under:
            self._under = under
            self.query_one(".form-under", Static).update(Content(under))
        self.set_class(bool(look.problem), "-wrong")
        self.set_class(look.was is not None, "-changed")
        self.disabled = look.fixed
        self.refresh()

    def _notes(self) -> list[str]:
        look = self._look
        notes = [unit_text(self.setting)] if self.setting.unit and not look.fixed else []
        if look.live and not look.fixed:
            notes.append(_("open"))
        if look.was is not None:
            notes.append(_("recipe: {value}").format(value=look.was))
        if look.fixed:  # last: where that is cut, its colour still says it
            notes.append(_("fixed during the run"))
        return notes

    def render(self) -> Content:
        """The line that the control lies on: mark and name before it, notes behind it."""
        mark = "*" if self._look.was is not None else " "
        name = f"{mark} {self.setting.key.rpartition('.')[2]}"
        changed = "bold" if self._look.was is not None else ""
        line: list[Any] = [(name, "reverse" if self._inside else changed)]
        at = NAME_CELLS
        if self.setting.kind != "list":
            # Brackets, because in 16 colours or none the box has no background of its own.
            boxed = isinstance(self.children[0], TextBox)
            wide = self.size.width - NAME_CELLS - 1 if self.setting.kind == "text" else CONTROL_CELLS
            gap = " " * (at - cells(name) - 1)
            line += [gap, ("[" if boxed else " ", "dim"), " " * wide, ("]" if boxed else " ", "dim")]
            at += wide + 1
        notes = " · ".join(self._notes()) if self.setting.kind != "text" else ""
        if notes:
            gap = " " if self.setting.kind != "list" else " " * (at - cells(name))
            line += [gap, (shorten(notes, max(4, self.size.width - at - 1)), changed)]
        return Content.assemble(*line)

    # -- what happens in it -----------------------------------------------------------------------------------

    @on(events.DescendantFocus)
    def _focused(self) -> None:
        if not self._inside:
            self._inside = True
            self.refresh()
            self.post_message(self.Entered(self))

    @on(events.DescendantBlur)
    def _blurred(self) -> None:
        # Within a list, or from a choice to its open menu, the focus only moves on.
        self.call_after_refresh(self._see_whether_left)

    async def _see_whether_left(self) -> None:
        if self._inside and not self.has_focus_within:
            self._inside = False
            self.refresh()
            control = self.children[0]
            if isinstance(control, ListField):
                await control.drop_empty()
            self.post_message(self.Left(self))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if self._inside:
            self.post_message(self.Typed(self, event.value))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Left(self))
        self.post_message(self.Submitted(self))

    @on(SwitchBox.Turned)
    def _turned(self, event: SwitchBox.Turned) -> None:
        event.stop()
        self.post_message(self.Chosen(self, event.box.is_on))

    @on(Select.Changed)
    def _selected(self, event: Select.Changed) -> None:
        event.stop()
        value: Any = event.value
        if self.setting.kind == "bool":
            value = {"on": True, "off": False}.get(str(value))
        if value != self._look.value:
            self.post_message(self.Chosen(self, value))

    @on(ListField.Changed)
    def _listed(self, event: ListField.Changed) -> None:
        event.stop()
        self.post_message(self.Chosen(self, event.value))

    def on_click(self, event: events.Click) -> None:
        """A click on the recipe's value takes it; on the name, the field gets the focus."""
        place = event.get_content_offset(self)
        if place is None or self.disabled:
            return
        beside = event.widget is self and place.y == 0 and place.x >= NAME_CELLS + CONTROL_CELLS
        under = self.setting.kind == "text" and event.widget is not self.control
        if self.has_class("-changed") and (beside or under):
            self.post_message(self.ResetAsked(self))
        elif event.widget is self:
            self.control.focus()

    def action_take_back(self) -> None:
        self.post_message(self.TakenBack(self))


def cells(text: str) -> int:
    return sum(map(cell_width, text))


def _switch_word(value: bool | None) -> str:
    return NEITHER if value is None else "on" if value else "off"
