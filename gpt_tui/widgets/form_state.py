"""The form without its widgets: what is being edited, what the next training gets, what a running one is told."""

from __future__ import annotations

import contextlib
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.config import Config, load_config
from core.errors import ConfigError
from core.settings import Setting, settings
from core.text import shorten

from ..config_text import differences, headless_command, same_settings, same_value, value_of
from ..setting_words import value_text
from . import form_start as start
from .form_draft import Draft, Problem, problem_of, text_of
from .form_recipes import source_of
from .form_row import Look

if TYPE_CHECKING:
    from ..desk import Desk


class FormState:
    """Turns what is typed into ``desk.config``, which stays valid all the time.

    While a field has the focus, everything is reckoned from the draft as it was when the field was entered. So
    what is half typed is never left behind: leave a field wrong, and the setting is what it was.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.folder = desk.config_file.parent if desk.config_file is not None else Path()
        """Of config.yaml, and of ``recipes`` with the user's own."""
        self.source = source_of(desk.base, self.folder)
        """Name or file of the recipe that ``desk.base`` is; '' where there is none."""
        self.draft = Draft(desk.config)
        self.running: Config | None = None
        """The settings of the training that runs, as far as it was told."""
        self._mine = desk.config
        self._anchor = self.draft
        self._entered = ""
        self._told: set[str] = set()
        """Fields whose problem is shown."""
        self._put_away: Draft | None = None

    # -- editing ----------------------------------------------------------------------------------------------

    def enter(self, key: str) -> None:
        self._entered, self._anchor = key, self.draft

    def type(self, key: str, text: str) -> None:
        if key != self._entered:
            self.enter(key)
        self._take(self._anchor.typed(key, text))

    def choose(self, key: str, value: Any) -> None:
        self._take(self.draft.with_value(key, value))
        self._anchor = self.draft

    def take_back(self) -> None:
        """As when the field was entered or, where it was wrong already, as the setting is."""
        self._take(self._anchor.without(self._entered))

    def leave(self, key: str) -> list[tuple[str, Any]]:
        """The field is done. Returns what the running training is to be told."""
        if key == start.KEY and self.running is None and key not in self.draft.problems:
            self._take_over_shape()
        if key in self.draft.problems:
            self._told.add(key)
        if key == self._entered:  # and not already another
            self._entered, self._anchor = "", self.draft
        return self.tell()

    def _take_over_shape(self) -> None:
        """Of the model that is to be trained further; its weights fit no other."""
        name = self.draft.config.training.start_from
        if name is None or name == self.desk.base.training.start_from:
            return
        found = start.shape_of(name, self.desk.runs_dir)
        problem = Problem("no such run or checkpoint")
        if found is not None:
            try:
                self._take(replace(self.draft, config=self.draft.config.with_shape_of(found)))
                return
            except ConfigError as error:  # more trainable blocks than that one has
                problem = problem_of(error)
        self.draft = replace(self.draft, problems={**self.draft.problems, start.KEY: problem})

    def leave_all(self) -> None:
        """The fields are made anew: whatever is wrong in them is told."""
        self._told = set(self.draft.problems)

    def wrong(self) -> list[str]:
        """The names of the fields that could not be taken over."""
        return [key.rpartition(".")[2] for key in self.draft.problems]

    def reset(self, key: str) -> None:
        """One field as in the recipe."""
        self._take(self.draft.with_value(key, value_of(self.desk.base, key)))
        self._anchor = self.draft

    def reset_all(self) -> bool:
        """All fields as in the recipe; a second time, when nothing was changed since: as before. True: reset."""
        if self.changed():
            before = self.draft
            self._take(Draft(self.desk.base))
            self._anchor, self._put_away = self.draft, before
            return True
        if self._put_away is not None:
            self._take(self._put_away)
        return False

    @property
    def can_reset(self) -> bool:
        return self.running is None and (bool(self.changed()) or self._put_away is not None)

    def load(self, config: Config, base: Config, source: str) -> None:
        """Another recipe."""
        self.desk.base, self.source = base, source
        self._take(Draft(config))
        self._anchor = self.draft

    def _take(self, draft: Draft) -> None:
        self.draft = draft
        self._told &= set(draft.problems)
        self._put_away = None
        if self.running is None:
            self._mine = self.desk.config = draft.config

    # -- a running training -----------------------------------------------------------------------------------

    def follow(self, running: Config | None) -> None:
        """A training has begun with these settings, or (None) there is none any more."""
        self.running = running
        config = self.desk.config if running is None else running
        self._mine = self.desk.config
        if not same_settings(self.draft.config, config) or self.draft.problems:
            self.draft = Draft(config)
        self._anchor, self._told, self._put_away = self.draft, set(), None

    def tell(self) -> list[tuple[str, Any]]:
        """What the running training does not know yet, in an order in which each change is valid by itself."""
        if self.running is None:
            return []
        changes = live_steps(self.running, self.draft.config)
        for key, value in changes:
            self.running = self.running.update({key: value})
            # Where the next training has other settings, with which this does not go, they stay.
            with contextlib.suppress(ConfigError):
                self._mine = self.desk.config = self.desk.config.update({key: value})
        return changes

    def is_fixed(self, setting: Setting) -> bool:
        return self.running is not None and not setting.live

    # -- what others do ---------------------------------------------------------------------------------------

    def catch_up(self) -> bool:
        """Whether somebody else has put other settings on the desk; they are taken over."""
        if self.desk.config is self._mine:
            return False
        self._mine = self.desk.config
        self.source = source_of(self.desk.base, self.folder)
        if self.running is None:
            self.draft = self._anchor = Draft(self.desk.config)
            self._told.clear()
        return True

    # -- what is shown ----------------------------------------------------------------------------------------

    def look(self, setting: Setting) -> Look:
        key = setting.key
        value, was = self.draft.value(key), value_of(self.desk.base, key)
        problem = self.draft.problems.get(key) if key in self._told else None
        text = self.draft.texts.get(key)
        changed = text is not None or not same_value(key, value, was)
        return Look(
            value,
            text,
            problem.say(setting) if problem is not None else "",
            _short(was) if changed else None,
            self.is_fixed(setting),
            self.running is not None and setting.live,
        )

    def changed(self) -> list[str]:
        """The fields that are not as in the recipe."""
        found = set(differences(self.draft.config, self.desk.base)) | set(self.draft.waiting) | set(self.draft.texts)
        return [key for key in settings() if key in found and key != "recipe"]

    def command(self) -> str:
        """The training that the form describes, without the app."""
        from ..desk import runs_folder

        source, base = (self.source, self.desk.base) if self.source else ("teacher", load_config("teacher"))
        words = headless_command(self.draft.config, source, base)
        elsewhere = self.desk.runs_dir != runs_folder()
        return words + (f" --runs-dir {shlex.quote(str(self.desk.runs_dir))}" if elsewhere else "")


def _short(value: Any) -> str:
    text = value_text(value) if isinstance(value, (bool, list)) or value in (None, "") else text_of(value)
    return shorten(text, 24)


def live_steps(old: Config, new: Config) -> list[tuple[str, Any]]:
    """The live settings in which ``new`` differs from ``old``, each change valid after those before it.

    The engine takes one at a time: min_lr must not pass lr even for a moment.
    """
    waiting = {key: value for key, value in differences(new, old).items() if settings()[key].live}
    config, steps = old, []
    while waiting:
        for key, value in waiting.items():
            try:
                config = config.update({key: value})
            except ConfigError:
                continue
            steps.append((key, value))
            del waiting[key]
            break
        else:
            return steps
    return steps
