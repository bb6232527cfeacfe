"""The Config tab: every setting as a form, what it will cost, and how to keep it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Literal

from textual import on
from textual.binding import BindingType

from core.errors import UserError

from ..actions import Action, key_bindings
from ..cli import say
from ..i18n import _
from ..messages import ConfigEdited, StartTraining
from ..widgets.form_dialogs import NewRecipe, SaveRecipe, TakeRecipe
from ..widgets.form_pane import FormPane
from ..widgets.form_recipes import FILE
from ..widgets.form_tools import Tools

#: The keys of the first two stand where they act; the rest leaves room for Quit and Help at 80 columns.
ACTIONS: tuple[Action, ...] = (
    Action("choose_recipe", "ctrl+o", "Recipe", "Take the settings of another recipe.", footer=False),
    Action("find", "ctrl+f,slash", "Find", "Show only the settings with certain words in their name or help.",
           footer=False),
    Action("only_changed", "ctrl+g", "Only changed", "Show only what is not as in the recipe, or everything again.",
           footer=False),
    Action("reset_field", "ctrl+r", "Reset", "Put this field back to the recipe's value."),
    Action("reset_all", "ctrl+t", "Reset all", "Put all fields back to the recipe's values; again: take that back."),
    Action("save", "ctrl+s", "Save", "Write the settings to config.yaml; comments and order in it are kept."),
    Action("save_recipe", "ctrl+n", "As recipe", "Save all settings as a new recipe file."),
    Action("copy_command", "ctrl+y", "Copy", "Copy the command that does the same training without the app."),
    Action("start", "f5", "Start", "Train a new run with these settings."),
)  # fmt: skip


class ConfigPane(FormPane):
    """What one can do with the settings: find, reset, take from a recipe, keep, copy, train."""

    BINDINGS: ClassVar[list[BindingType]] = key_bindings(ACTIONS)

    def action_find(self) -> None:
        self.tools.box.focus()

    async def action_only_changed(self) -> None:
        await self._toggle_only_changed()

    # -- recipes and files ------------------------------------------------------------------------------------

    def action_choose_recipe(self) -> None:
        self.tools.picker.focus()
        self.tools.picker.action_show_overlay()

    @on(Tools.RecipeChosen)
    def _recipe_chosen(self, event: Tools.RecipeChosen) -> None:
        event.stop()
        source, changed = event.source, self.state.changed()
        if not changed:
            self._take_recipe(source, "drop")
            return
        name = Path(source).stem if source != FILE else FILE
        self.app.push_screen(TakeRecipe(name, changed), lambda answer: self._take_recipe(source, answer or ""))

    def _take_recipe(self, source: str, answer: str) -> None:
        if answer:
            try:
                self.recipes.load(source, keep=answer == "keep")
            except UserError as problem:
                self._tell_user(say(problem), "error")
            else:
                self.post_message(ConfigEdited())
        self._refresh_soon()

    def action_save(self) -> None:
        self._keep(self.recipes.save)

    def action_save_recipe(self) -> None:
        config = self.state.draft.config
        own = self.state.source.endswith((".yaml", ".yml"))
        name = config.recipe if own else f"my-{config.recipe}"
        screen = SaveRecipe(name, _(config.description), self.state.folder / "recipes")
        self.app.push_screen(screen, self._save_recipe)

    def _save_recipe(self, wish: NewRecipe | None) -> None:
        if wish is not None:
            self._keep(lambda: self.recipes.save_as(wish))

    def _keep(self, save: Callable[[], str]) -> None:
        wrong = ", ".join(self.state.wrong())
        try:
            said = save()
        except UserError as problem:
            self._tell_user(say(problem), "error")
            return
        if self.recipes.written or not wrong:
            self._tell_user(said)
        if wrong:  # they were saved as they were before
            self._tell_user(_("not saved, because something is wrong with it: {names}").format(names=wrong), "warning")
        self.post_message(ConfigEdited())
        self._refresh_soon()

    # -- other actions ----------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """None: greyed."""
        if action in ("choose_recipe", "start"):
            return None if self.state.running is not None else True
        if action == "reset_all":
            return True if self.state.can_reset else None
        return super().check_action(action, parameters)

    async def action_reset_field(self) -> None:
        await self._build()
        row = self.form.current
        if row is not None and not row.disabled:
            await self._reset(row)

    async def action_reset_all(self) -> None:
        await self._build()
        if self.state.reset_all():
            self._tell_user(_("all settings are as in the recipe; the same key takes that back"))
        await self._edited(*self.form.rows())

    def action_copy_command(self) -> None:
        self.app.copy_to_clipboard(self.state.command())
        self._tell_user(_("copied; where the terminal does not allow that, mark it with the mouse"))

    async def action_start(self) -> None:
        wrong = ", ".join(self.state.wrong())
        if wrong:
            self.state.leave_all()  # under each field now stands what is wrong with it
            await self._edited(*self.form.rows())
            self._tell_user(_("not started: something is wrong with {names}").format(names=wrong), "warning")
            return
        self.post_message(StartTraining())

    def _tell_user(self, text: str, severity: Literal["information", "warning", "error"] = "information") -> None:
        self.notify(text, severity=severity, timeout=12 if severity == "error" else 5, markup=False)
