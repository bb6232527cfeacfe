"""The form while a training runs: which settings it has, what it is told, what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.config import Config, load_config
from core.errors import UserError
from core.text import printable

from ..i18n import _

if TYPE_CHECKING:
    from ..history import Snapshot
    from .form_state import FormState


class Follower:
    """Keeps a ``FormState`` in step with the desk's session."""

    def __init__(self, state: FormState) -> None:
        self._state = state
        self._session = state.desk.session
        self._run: Path | None = None
        self._run_name = ""
        self._said = ""
        self._asked = False
        """A change was sent and not answered yet."""
        self._lines = 0

    def look(self) -> bool:
        """Look at the session; True where the form has to be shown anew."""
        snapshot = self._session.snapshot()
        active = self._session.active
        before = self._state.running
        if active:
            self._run_name = snapshot.run
            if snapshot.started is not None and snapshot.run_path is not None and snapshot.run_path != self._run:
                # A run that goes on has settings of its own; they stand in its folder.
                self._run = snapshot.run_path
                self._begin(_settings_of(snapshot.run_path) or self._state.desk.config)
            elif before is None:
                self._begin(self._state.desk.config)
            self._listen(snapshot)
        elif before is not None:
            self._run = None
            self._state.follow(None)
        self._lines = snapshot.log_count
        return (before is None) != (self._state.running is None) or before is not self._state.running

    def _begin(self, config: Config) -> None:
        self._said, self._asked = "", False
        self._state.follow(config)

    def _listen(self, snapshot: Snapshot) -> None:
        """What the training says about the changes it was sent stands in its log."""
        new = snapshot.log_count - self._lines
        kinds = ("changed", "warning") if self._asked else ("changed",)
        for line in snapshot.log[-new:] if new > 0 else ():
            if line.kind in kinds:
                self._said, self._asked = line.text, False

    def tell(self, changes: Sequence[tuple[str, Any]]) -> None:
        """Pass changes on to the training."""
        for key, value in changes:
            self._session.update(key, value)
        if changes:
            self._asked = True
            words = ", ".join(f"{key} = {value}" for key, value in changes)
            self._said = _("sent to the training: {changes}").format(changes=printable(words))

    def note(self) -> str:
        """The lines above the form; '' while nothing is trained."""
        if self._state.running is None:
            return ""
        text = _("▶ {run} is being trained: only fields marked 'open' can change.")
        text = text.format(run=printable(self._run_name or "…"))
        return text + (f"\n  {self._said}" if self._said else "")


def _settings_of(run: Path) -> Config | None:
    """The settings in a run's folder; None where there are none yet."""
    try:
        return load_config(file=run / "config.yaml", stored=True)
    except UserError:
        return None
