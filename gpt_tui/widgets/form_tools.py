"""The line above the form: which recipe, what to find, how many settings were changed."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Select, Static

from ..i18n import _
from .form_controls import ChoiceBox, TextBox


class Tools(Horizontal):
    """Recipe picker, search box, and a count."""

    class RecipeChosen(Message):
        def __init__(self, source: str) -> None:
            super().__init__()
            self.source = source

    class Finding(Message):
        """The words in the search box; ``done``: on to what was found."""

        def __init__(self, words: str, done: bool = False) -> None:
            super().__init__()
            self.words = words
            self.done = done

    def __init__(self, choices: Sequence[tuple[str, str]], source: str, words: str) -> None:
        super().__init__(id="config-top")
        self._choices, self._source, self._words = choices, source, words
        self._count: int | None = None

    def compose(self) -> ComposeResult:
        yield Static(Content.assemble(_("Recipe"), (" ^o", "dim")), classes="config-label")
        yield ChoiceBox(self._choices, self._source, id="config-recipe")
        yield Static(Content.assemble(_("Find"), (" ^f", "dim")), classes="config-label")
        yield TextBox(self._words, id="config-find")
        yield Static(id="config-count")

    @property
    def picker(self) -> ChoiceBox:
        return self.query_one("#config-recipe", ChoiceBox)

    @property
    def box(self) -> TextBox:
        return self.query_one("#config-find", TextBox)

    def offer(self, choices: Sequence[tuple[str, str]], source: str, *, closed: bool) -> None:
        """The recipes there are, the one that holds, and whether another may be taken."""
        if (choices, source) != (self._choices, self._source) or self.picker.value != source:
            self._choices, self._source = choices, source
            self.picker.offer(choices, source)
        self.picker.disabled = closed

    def count(self, changed: int) -> None:
        if changed != self._count:
            self._count = changed
            text = _("{n} changed").format(n=changed) if changed else _("as the recipe")
            self.query_one("#config-count", Static).update(Content(text))

    def clear(self) -> None:
        """No search."""
        with self.box.prevent(Input.Changed):
            self.box.value = ""

    @on(Select.Changed)
    def _chosen(self, event: Select.Changed) -> None:
        event.stop()
        if event.value != self._source:
            self.post_message(self.RecipeChosen(str(event.value)))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Finding(event.value))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Finding(event.value, done=True))

    def on_key(self, event: events.Key) -> None:
        """In the search box: down goes to what was found, Escape ends the search."""
        if self.box.has_focus and event.key in ("escape", "down"):
            event.stop()
            if event.key == "escape":
                self.clear()
            self.post_message(self.Finding(self.box.value, done=True))
