"""A list in the form: stop strings one to a line, probes as question and answer. Each entry can be changed,
emptied (which removes it) or removed; there is always a way to add one more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from core.text import printable

from ..i18n import _
from .form_controls import PressBox, TextBox
from .form_draft import entry_names, escaped, unescaped


class EntryRow(Horizontal):
    """One entry: a box for each of its parts and the sign that removes it."""

    def __init__(self, names: tuple[str, ...], entry: Any) -> None:
        super().__init__(classes="form-entry")
        self._names = names
        self._entry = entry

    def compose(self) -> ComposeResult:
        for text, name in zip(self._texts(), self._names or ("",), strict=True):
            yield TextBox(text, placeholder=_(name) if name else "")
        yield PressBox("×", classes="form-remove")

    def _texts(self) -> list[str]:
        if not self._names:
            return [escaped(self._entry)]
        return [printable(self._entry.get(name) or "") for name in self._names]

    def value(self) -> Any:
        """The entry as it stands in the boxes; None where it is empty."""
        texts = [box.value for box in self.query(TextBox)]
        if not self._names:
            return unescaped(texts[0]) or None
        before = dict(zip(self._names, self._texts(), strict=True))
        entry: dict[str, Any] = {}
        for name, text in zip(self._names, texts, strict=True):
            # What cannot be typed, such as a line break, stays as long as nobody edits the text around it.
            entry[name] = self._entry.get(name) if text == before[name] else text or None
        return entry if entry[self._names[0]] else None


class ListField(Vertical):
    """All entries of one setting."""

    class Changed(Message):
        def __init__(self, value: list[Any]) -> None:
            super().__init__()
            self.value = value

    def __init__(self, key: str, value: list[Any]) -> None:
        super().__init__(classes="form-list")
        self._names = entry_names(key)
        self._shown = list(value)

    def compose(self) -> ComposeResult:
        for entry in self._shown:
            yield EntryRow(self._names, entry)
        yield PressBox(f"+ {_('add')}", classes="form-add")

    def _rows(self) -> Iterator[EntryRow]:
        return iter(self.query(EntryRow))

    @property
    def first_box(self) -> Widget:
        """What the focus goes to."""
        return self.query("TextBox, PressBox").first()

    def value(self) -> list[Any]:
        """The entries that are not empty."""
        return [entry for row in self._rows() if (entry := row.value()) is not None]

    async def show(self, value: list[Any]) -> None:
        """Other entries, set from outside. What the user has just typed is left alone."""
        if value == self.value() and len(value) == len(list(self._rows())):
            self._shown = list(value)
            return
        if self.has_focus_within and value == self.value():
            return  # a line that is still empty is about to be filled
        self._shown = list(value)
        with self.prevent(Input.Changed):
            await self.recompose()

    def _tell(self) -> None:
        self.post_message(self.Changed(self.value()))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._tell()

    @on(Input.Submitted)
    async def _submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the next box; from the last one to a new entry, if this one is filled."""
        event.stop()
        boxes = list(self.query(TextBox))
        at = boxes.index(event.input)  # type: ignore[arg-type]
        if at + 1 < len(boxes):
            boxes[at + 1].focus()
        elif event.value:
            await self._add()

    @on(PressBox.Pressed)
    async def _pressed(self, event: PressBox.Pressed) -> None:
        event.stop()
        if event.box.has_class("form-add"):
            await self._add()
            return
        row = event.box.parent
        assert isinstance(row, EntryRow)
        self.query(PressBox).last().focus()
        await row.remove()
        self._tell()

    async def _add(self) -> None:
        rows = list(self._rows())
        if rows and rows[-1].value() is None:  # there is an empty one already
            rows[-1].query(TextBox).first().focus()
            return
        row = EntryRow(self._names, dict.fromkeys(self._names) if self._names else "")
        await self.mount(row, before=self.query(PressBox).last())
        row.query(TextBox).first().focus()

    async def drop_empty(self) -> None:
        """After the list is left: lines with nothing in them go."""
        for row in list(self._rows()):
            if row.value() is None:
                await row.remove()
