"""Where settings come from and where they are kept: recipes, and the config.yaml of the folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.config import Config, load_config, recipe_names
from core.errors import UserError
from core.text import printable, shorten

from ..config_file import save_config, save_recipe
from ..config_text import base_of, differences, same_settings
from ..i18n import _

if TYPE_CHECKING:
    from .form_dialogs import NewRecipe
    from .form_state import FormState

#: The file that ``gpt-tui train`` reads by itself.
FILE = "config.yaml"


def own_recipes(folder: Path) -> list[Path]:
    """Recipe files of the user's: ``recipes/*.yaml`` of the folder."""
    try:
        return sorted(folder.glob("recipes/*.yaml"))
    except OSError:
        return []


def source_of(base: Config, folder: Path) -> str:
    """What ``--recipe`` would have to say for these settings; '' where nothing does."""
    names = [base.recipe] if base.recipe in recipe_names() else []
    for source in [*names, *map(str, own_recipes(folder))]:
        try:
            if same_settings(load_config(source), base):
                return source
        except UserError:
            continue  # a file that is no recipe
    return ""


def _names(keys: Sequence[str]) -> str:
    """The first of some settings, without their sections."""
    return ", ".join(key.rpartition(".")[2] for key in keys[:6]) + (" …" if len(keys) > 6 else "")


class Recipes:
    """Takes recipes into a ``FormState`` and writes what is in it into files. Raises ``UserError`` with one line."""

    def __init__(self, state: FormState) -> None:
        self.state = state
        self.desk = state.desk
        self.folder = state.folder
        self.written = True
        """Whether the last save has changed the file."""

    @property
    def file(self) -> Path:
        return self.desk.config_file or self.folder / FILE

    def choices(self) -> list[tuple[str, str]]:
        """What there is, shown and meant: built-in recipes, the user's own, and config.yaml as it is on the disk."""
        found = [(name, name) for name in recipe_names()]
        found += [(shorten(printable(path.stem), 20) + " *", str(path)) for path in own_recipes(self.folder)]
        if self.file.is_file():
            found.append((FILE, FILE))
        if self.state.source not in [source for _shown, source in found]:
            found.insert(0, (shorten(printable(self.desk.base.recipe), 20), self.state.source))
        return found

    def load(self, source: str, *, keep: bool) -> None:
        """Take a recipe, or config.yaml; ``keep``: with the present changes on top."""
        changes = differences(self.state.draft.config, self.desk.base) if keep else {}
        changes.pop("recipe", None)
        if source == FILE:
            config = self.desk.loaded = load_config(file=self.file)
            base = base_of(config.recipe)
            source = source_of(base, self.folder)
        else:
            config = base = load_config(source)
        self.state.load(config.update(changes), base, source)

    def save(self) -> str:
        """Write config.yaml; says what was done."""
        path = self.file
        existed = path.exists()
        config, taken = self._with_changes_on_disk(path) if existed else (self.state.draft.config, [])
        keys = save_config(path, config)
        self.written = bool(keys or taken or not existed)
        self.desk.config_file, self.desk.loaded = path, config
        if taken and self.state.running is None:
            self.state.load(config, self.desk.base, self.state.source)
        shown = printable(str(path))
        if taken:
            names = _names(taken)
            return _("saved in {path}; changed there meanwhile, and kept: {names}").format(path=shown, names=names)
        if not keys and not existed:
            return _("saved in {path}").format(path=shown)
        if not keys:
            return _("{path} says this already").format(path=shown)
        return _("saved in {path}: {names}").format(path=shown, names=_names(keys))

    def _with_changes_on_disk(self, path: Path) -> tuple[Config, list[str]]:
        """The form's settings with what an editor or another app has changed in the file since it was read, and the
        names of that. What was changed in both places is as the form has it."""
        config, loaded = self.state.draft.config, self.desk.loaded
        if loaded is None:
            return config, []
        theirs = differences(load_config(file=path), loaded)
        taken = {key: theirs[key] for key in theirs.keys() - differences(config, loaded).keys()}
        return config.update(taken), sorted(taken)

    def save_as(self, wish: NewRecipe) -> str:
        """Write a new recipe and go on from it; says what was done."""
        config = self.state.draft.config.update({"recipe": wish.name, "description": wish.description})
        save_recipe(wish.path, config, replace=wish.replace)
        self.written = True
        base = load_config(str(wish.path))
        if self.state.running is None:
            self.state.load(base, base, str(wish.path))
        return _("saved; train it anywhere with: gpt-tui --no-ui train --recipe {path}").format(
            path=printable(str(wish.path))
        )
