"""What a person does with the form, as the base of the Config tab: what is typed goes to ``FormState``, and what that
makes of it goes to the widgets and to the training."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import OptionList

from ..messages import ConfigEdited
from .form import Form, GroupBar
from .form_row import FieldRow
from .form_tools import Tools
from .form_view import FormView

#: Fields that PageUp and PageDown pass over.
PAGE = 5


class FormPane(FormView):
    """Everything on the tab except what one can do with the settings as a whole."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "field(-1)", show=False),
        Binding("down,enter", "field(1)", show=False),
        Binding("pageup", f"field(-{PAGE})", show=False),
        Binding("pagedown", f"field({PAGE})", show=False),
        Binding("ctrl+up", "group(-1)", show=False),
        Binding("ctrl+down", "group(1)", show=False),
    ]

    # -- the fields -------------------------------------------------------------------------------------------

    @on(FieldRow.Entered)
    def _entered(self, event: FieldRow.Entered) -> None:
        event.stop()
        self._last = event.row.key
        self.state.enter(event.row.key)

    @on(FieldRow.Typed)
    async def _typed(self, event: FieldRow.Typed) -> None:
        event.stop()
        self.state.type(event.row.key, event.value)
        await self._edited()

    @on(FieldRow.Chosen)
    async def _chosen(self, event: FieldRow.Chosen) -> None:
        event.stop()
        self.state.choose(event.row.key, event.value)
        self.follower.tell(self.state.tell())
        await self._edited()

    @on(FieldRow.Left)
    async def _left(self, event: FieldRow.Left) -> None:
        event.stop()
        self.follower.tell(self.state.leave(event.row.key))
        await self._edited(event.row)

    @on(FieldRow.Submitted)
    async def _submitted(self, event: FieldRow.Submitted) -> None:
        event.stop()
        await self.form.step(1)

    @on(FieldRow.TakenBack)
    async def _taken_back(self, event: FieldRow.TakenBack) -> None:
        event.stop()
        before = self.state.look(event.row.setting)
        self.state.take_back()
        await self._edited(event.row)
        if self.state.look(event.row.setting) == before:  # nothing to take back: out of the field
            self.focus()

    @on(FieldRow.ResetAsked)
    async def _reset_asked(self, event: FieldRow.ResetAsked) -> None:
        event.stop()
        await self._reset(event.row)

    async def _reset(self, row: FieldRow) -> None:
        self.state.reset(row.key)
        self.follower.tell(self.state.tell())
        await self._edited(row)

    async def _edited(self, *tidy: FieldRow) -> None:
        """Show what a change has led to; ``tidy``: rows whose text is to be written as their value is."""
        async with self._drawing:
            await self.form.show()
        for row in tidy:
            row.tidy()
        self._figures()
        self._count()
        self._note()
        self._renew_keys()
        if self.state.running is None:
            self.post_message(ConfigEdited())

    async def action_field(self, by: int) -> None:
        """To the field so many further."""
        if self._built:
            await self.form.step(by)

    async def action_group(self, by: int) -> None:
        """To the next group."""
        if self._built:
            await self.form.step_group(by)

    # -- finding ----------------------------------------------------------------------------------------------

    @on(Tools.Finding)
    async def _finding(self, event: Tools.Finding) -> None:
        event.stop()
        if event.words != self._words:
            self._words = event.words
            await self._filter()
        if event.done:
            self._focus_form()

    @on(Form.Opened)
    def _opened(self, event: Form.Opened) -> None:
        event.stop()
        self._section = self.form.section
        self._bar()

    @on(GroupBar.Chosen)
    async def _group_chosen(self, event: GroupBar.Chosen) -> None:
        event.stop()
        self._section = self.form.section = event.section
        self._words, self._only_changed = "", False
        self.tools.clear()
        await self._filter()
        self.form.focus_first()

    async def _toggle_only_changed(self) -> None:
        self._only_changed = not self._only_changed
        await self._filter()
        self._focus_form()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While the list of a choice is open, the arrows are its own."""
        return not (action in ("field", "group") and isinstance(self.screen.focused, OptionList))
