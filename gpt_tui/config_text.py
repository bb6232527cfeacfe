"""Settings as a person writes them: one value as text, what differs from a recipe, the command that does the same."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.config import MODEL_FILES, Config, load_config, recipe_names
from core.errors import UserError
from core.records import find_data
from core.settings import settings
from core.yamlio import parse_scalar

#: Settings that name a file: two spellings of the same file are the same value.
PATHS = ("data.train", "data.valid", "data.valid_unseen", "tokenizer.path", "training.start_from")


def inline(value: Any) -> str:
    """``value`` on one line of YAML, as it may stand behind ``--set key=`` or in a file."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return value if _is_plain(value) else quoted(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_item(item)}" for key, item in value.items() if item is not None) + "}"
    return "[" + ", ".join(_item(item) for item in value) + "]"


def quoted(text: str) -> str:
    """``text`` in double quotes with everything invisible written out: a string of both YAML and a safe screen."""
    return '"' + "".join(_ESCAPES.get(char) or _written(char) for char in text) + '"'


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _written(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _is_plain(text: str) -> bool:
    """Whether the bare text reads back as itself."""
    if not text or not text.isprintable() or text != text.strip():
        return False
    try:
        return bool(parse_scalar(text) == text)
    except UserError:
        return False


def _item(value: Any) -> str:
    """An element of a list: text always in quotes, for a comma or bracket would end it."""
    return quoted(value) if isinstance(value, str) else inline(value)


def same_value(key: str, one: Any, other: Any) -> bool:
    """Whether two values of a setting mean the same; a file may be spelt in two ways."""
    if one == other:
        return True
    if key not in PATHS or not isinstance(one, str) or not isinstance(other, str):
        return False
    try:
        return find_data(one).resolve() == find_data(other).resolve()
    except (UserError, OSError, ValueError, RuntimeError):  # no such file, a NUL in the name, no home folder
        return False


def value_of(config: Config, key: str) -> Any:
    """The plain value under a dotted key: probes as mappings, not as objects."""
    value = config.get(key)
    if isinstance(value, list):
        return [item.model_dump(mode="json") if hasattr(item, "model_dump") else item for item in value]
    return value


def differences(config: Config, base: Config) -> dict[str, Any]:
    """Every setting in which ``config`` is not ``base``, with its value, in the order of the schema."""
    return {
        key: value_of(config, key)
        for key in settings()
        if not same_value(key, value_of(config, key), value_of(base, key))
    }


def same_settings(one: Config, other: Config) -> bool:
    return not differences(one, other)


def base_of(recipe: str) -> Config:
    """What a file that names ``recipe`` builds on: the built-in recipe of that name, else the schema's defaults."""
    return load_config(recipe) if recipe in recipe_names() else Config()


def headless_command(config: Config, recipe: str, base: Config) -> str:
    """The command that trains ``config`` without the app. ``recipe`` is the name or file that gives ``base``."""
    words = ["gpt-tui", "--no-ui", "train", "--recipe", recipe]
    for key, value in differences(config, base).items():
        inside = MODEL_FILES if key == "training.start_from" else ("",)
        text = find_data_or_name(value, inside) if key in PATHS and isinstance(value, str) else value
        words += ["--set", f"{key}={inline(text)}"]
    return " ".join(shlex.quote(word) for word in words)


def find_data_or_name(name: str, inside: Sequence[str] = ("",)) -> str:
    """The whole path of a file, or of a folder with one of ``inside`` in it, so that a command works in every folder;
    a name that is none of these stays as it is."""
    try:
        path = Path(name).expanduser()
        return str(path.absolute()) if any((path / part).exists() for part in inside) else name
    except (OSError, ValueError, RuntimeError):
        return name
