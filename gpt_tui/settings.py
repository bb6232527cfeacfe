"""What the app remembers from one start to the next, in the XDG directories."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, TypeVar

from core.errors import UserError
from core.storage import read_json, write_json

T = TypeVar("T", str, int, float, bool)


def _base(variable: str, fallback: str) -> Path:
    """A relative path in an XDG variable counts as not set, as the specification wants it."""
    given = Path(os.environ.get(variable) or ".")
    if given.is_absolute():
        return given
    if os.name == "nt" and os.environ.get("APPDATA"):
        return Path(os.environ["APPDATA"])
    return Path.home() / fallback


def config_folder() -> Path:
    return _base("XDG_CONFIG_HOME", ".config") / "gpt-tui"


def state_folder() -> Path:
    """For logs and histories: what is worth keeping but is nobody's setting."""
    return _base("XDG_STATE_HOME", ".local/state") / "gpt-tui"


class AppSettings:
    """Small values by name, e.g. ``theme`` or ``plot.smoothing``; each change is written at once.

    ``AppSettings()`` remembers only as long as it lives; ``AppSettings.of_user()`` keeps a file.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._values: dict[str, Any] = {}
        if path is None:
            return
        try:
            found = read_json(path, limit=1_000_000)
        except UserError:  # not there yet, or not readable: the defaults hold
            found = {}
        if isinstance(found, dict):
            self._values = found

    @classmethod
    def of_user(cls) -> AppSettings:
        """Those of whoever runs the program."""
        return cls(config_folder() / "app.json")

    def get(self, key: str, default: T) -> T:
        """The remembered value, or ``default`` where there is none or one of another type."""
        value = self._values.get(key, default)
        if isinstance(default, float) and type(value) is int:
            value = float(value)
        return value if type(value) is type(default) else default

    def get_list(self, key: str) -> list[str]:
        value = self._values.get(key)
        return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []

    def put(self, key: str, value: str | int | float | bool | list[str]) -> None:
        """Remember. Where the folder cannot be written the value holds until the app is left."""
        if key in self._values and self._values[key] == value:
            return
        json.dumps(value)  # a value that is not JSON is a mistake here, not one of the disk
        self._values[key] = value
        if self.path is None:
            return
        try:
            write_json(self.path, self._values)
        except OSError:
            return
