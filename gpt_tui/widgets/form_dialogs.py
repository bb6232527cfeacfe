"""The two questions of the Config tab: what becomes of changes when another recipe is taken, and a new one's name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from core.text import printable

from ..i18n import _
from .form_controls import TextBox

RECIPE_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}")


class TakeRecipe(ModalScreen[str]):
    """Changes were made: 'keep' puts them on top of the new recipe, 'drop' forgets them, '' leaves all as it is."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "answer('')", show=False),
        Binding("k", "answer('keep')", show=False),
        Binding("d", "answer('drop')", show=False),
        Binding("left,up", "app.focus_previous", show=False),
        Binding("right,down", "app.focus_next", show=False),
    ]

    def __init__(self, recipe: str, changes: list[str]) -> None:
        super().__init__(classes="config-dialog")
        self._recipe, self._changes = recipe, changes

    def compose(self) -> ComposeResult:
        names = ", ".join(key.rpartition(".")[2] for key in self._changes[:8])
        more = " …" if len(self._changes) > 8 else ""
        with Vertical():
            yield Static(Content(_("Take the recipe {name}?").format(name=printable(self._recipe))), classes="-title")
            yield Static(Content(_("You have changed: {names}").format(names=names + more)))
            with Horizontal():
                yield Button(Content(_("Cancel (n)")), id="cancel")
                yield Button(Content(_("Keep changes (k)")), id="keep")
                yield Button(Content(_("Drop changes (d)")), id="drop", variant="warning")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss({"keep": "keep", "drop": "drop"}.get(event.button.id or "", ""))

    def action_answer(self, answer: str) -> None:
        self.dismiss(answer)


@dataclass(frozen=True)
class NewRecipe:
    """What was asked for."""

    name: str
    description: str
    path: Path
    replace: bool


class SaveRecipe(ModalScreen[NewRecipe | None]):
    """Name and purpose of a recipe of one's own."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", show=False),
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]

    def __init__(self, name: str, description: str, folder: Path) -> None:
        super().__init__(classes="config-dialog")
        self._proposed, self._description, self._folder = name, description, folder

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Content(_("Save all settings as a recipe")), classes="-title")
            yield Static(Content(_("Name: letters, digits, '.', '_' and '-'")))
            yield TextBox(self._proposed, id="recipe-name")
            yield Static(Content(_("What it is for")))
            yield TextBox(self._description, id="recipe-purpose")
            yield Static(id="recipe-says")
            with Horizontal():
                yield Button(Content(_("Cancel")), id="cancel")
                yield Button(Content(_("Save")), id="save", variant="primary")

    def on_mount(self) -> None:
        self.query_one("#recipe-name", TextBox).focus()
        self._look()

    @on(Input.Changed)
    def _look(self) -> None:
        """Say where it will be written, or why it cannot be."""
        wish = self.wish()
        button = self.query_one("#save", Button)
        if wish is None:
            text = _("✗ not a name for a recipe")
        elif wish.replace:
            text = _("! replaces {path}").format(path=printable(str(wish.path)))
        else:
            text = _("will be written to {path}").format(path=printable(str(wish.path)))
        self.query_one("#recipe-says", Static).update(Content(text))
        button.disabled = wish is None
        button.label = Content(_("Replace") if wish is not None and wish.replace else _("Save"))

    def wish(self) -> NewRecipe | None:
        """What the boxes say, if it can be done."""
        name = self.query_one("#recipe-name", TextBox).value.strip()
        if not RECIPE_NAME.fullmatch(name):
            return None
        path = self._folder / f"{name}.yaml"
        return NewRecipe(name, self.query_one("#recipe-purpose", TextBox).value[:500], path, path.exists())

    @on(Input.Submitted)
    def _next(self, event: Input.Submitted) -> None:
        if event.input.id == "recipe-name":
            self.query_one("#recipe-purpose").focus()
        else:
            self.query_one("#save").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(self.wish() if event.button.id == "save" else None)

    def action_cancel(self) -> None:
        self.dismiss(None)
