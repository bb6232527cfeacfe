"""Saving settings to ``config.yaml`` with the user's comments and order kept, and as a recipe of one's own.

Only what is new gets written: a key that says what it said before keeps its very characters. What was written
is read back, before it takes the place of the old file, with the same code that will read it for a training.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.config import Config, load_config, recipe_names, recipe_path
from core.errors import ConfigError, UserError
from core.records import bundled_file, find_data
from core.settings import settings
from core.storage import atomic_file, read_text
from core.text import cell_width, pad
from core.yamlio import MAX_BYTES, load_yaml, parse_yaml

from .config_text import PATHS, differences, inline, same_settings, same_value, value_of
from .i18n import _
from .setting_words import help_text
from .yaml_edit import set_value

#: Where a comment begins in a file written from nothing.
COMMENT_COLUMN = 30


def save_config(path: Path, config: Config) -> list[str]:
    """Write ``config`` to a file that ``gpt-tui train`` reads, and return the keys whose lines changed.

    Comments, order and spelling of an existing file stay; settings it does not mention are added only where
    they differ from its recipe. Raises ``ConfigError`` and leaves the file alone when it cannot be read or
    when what would be written does not read back as ``config``.
    """
    if path.is_symlink():
        path = path.resolve()
    if not path.exists():
        wanted = {"recipe": config.recipe, **_wanted(config, {}, path.parent)}
        head = _("The settings of a training. What is left out here has the recipe's value.")
        _write(path, fresh_text(config, list(wanted), path.parent, head), config)
        return [key for key in wanted if key != "recipe"]
    text = read_text(path, limit=MAX_BYTES, error=ConfigError)
    values, _lines = parse_yaml(text, str(path))
    wanted = _wanted(config, values, path.parent)
    if wanted:
        _write(path, edited_text(text, wanted), config)
    else:
        load_config(file=path)  # a file that cannot be read does not say this already
    return list(wanted)


def save_recipe(path: Path, config: Config, *, replace: bool = False) -> None:
    """Write all settings as a recipe file, each with its help beside it. Raises ``ConfigError``."""
    if path.exists() and not replace:
        raise ConfigError("{path}: exists already", path=str(path))
    head = _("A recipe. Train it with: gpt-tui --no-ui train --recipe {file}").format(file=path.name)
    _write(path, fresh_text(config, list(settings()), path.parent, head), config, as_recipe=True)


def _write(path: Path, text: str, config: Config, *, as_recipe: bool = False) -> None:
    """Put ``text`` in place of ``path`` if it reads back as ``config``."""
    try:
        with atomic_file(path) as file:
            file.write(text.encode("utf-8"))
            file.flush()
            if path.exists() and os.name == "posix":
                os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
            _read_back(Path(file.name), path, config, as_recipe)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise ConfigError("{path}: cannot be written: {reason}", path=str(path), reason=reason) from None


def _read_back(written: Path, path: Path, config: Config, as_recipe: bool) -> None:
    try:
        found = load_config(str(written)) if as_recipe else load_config(file=written)
    except ConfigError as problem:
        if path.exists() and not as_recipe:
            load_config(file=path)  # where the fault was there before, this names its line
        raise ConfigError("{problem}", problem=str(problem).replace(str(written), str(path))) from None
    if not same_settings(found, config):
        keys = ", ".join(differences(found, config))
        raise ConfigError("{path}: not saved, these would not read back the same: {keys}", path=str(path), keys=keys)


def edited_text(text: str, wanted: Mapping[str, Any]) -> str:
    """``text`` with the given settings in it and all else as it was."""
    order = list(settings())
    for key, value in wanted.items():
        text = set_value(text, key, value, order)
    return text


def fresh_text(config: Config, keys: Sequence[str], folder: Path, head: str) -> str:
    """A new file with the given settings, grouped, each with what it means beside it."""
    lines = [f"# {head}"]
    group = ""
    for key in keys:
        section, _dot, name = key.rpartition(".")
        if section != group:
            lines += ["", f"{section}:"]
            group = section
        indent = "  " if section else ""
        value = portable(key, value_of(config, key), folder)
        comment = f"# {help_text(settings()[key])}"
        if isinstance(value, list) and value and isinstance(value[0], dict):
            lines.append(pad(f"{indent}{name}:", COMMENT_COLUMN - 1) + " " + comment)
            for item in value:
                filled = [(k, v) for k, v in item.items() if v is not None]
                lines += [f"{indent}  {'-' if not i else ' '} {k}: {inline(v)}" for i, (k, v) in enumerate(filled)]
            continue
        line = f"{indent}{name}: {inline(value)}"
        if sum(map(cell_width, line)) + sum(map(cell_width, comment)) > 160:
            comment = ""
        lines.append((pad(line, COMMENT_COLUMN - 1) + " " + comment).rstrip())
    return "\n".join(lines) + "\n"


# -- what to write ------------------------------------------------------------------------------------------------


def _wanted(config: Config, values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The settings to write into a file that holds ``values``: those it has otherwise, and those it lacks."""
    recipe = load_yaml(recipe_path(config.recipe))[0] if config.recipe in recipe_names() else {}
    touched = {section for section in (*recipe, *values) if section in Config.model_fields}
    while True:
        wanted: dict[str, Any] = {}
        for key, setting in settings().items():
            value = value_of(config, key)
            present, old = _lookup(values, key)
            if not present:
                # A section that is there at all has its fields' defaults, which need not be the section's own.
                known, old = _lookup(recipe, key) if key != "recipe" else (False, None)
                if not known:
                    section = key.rpartition(".")[0]
                    old = setting.default if section in touched else value_of(Config(), key)
            if not _reads_as(key, old, value, folder if present else None):
                wanted[key] = portable(key, value, folder)
        new = {key.rpartition(".")[0] for key in wanted} - {""} - touched
        if not new:
            return wanted
        touched |= new


def _lookup(values: Mapping[str, Any], key: str) -> tuple[bool, Any]:
    node: Any = values
    for part in key.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return False, None
        node = node[part]
    return True, node


def _reads_as(key: str, old: Any, value: Any, folder: Path | None) -> bool:
    """Whether ``old``, as it stands in a file of ``folder`` or in a recipe, is read as ``value``."""
    if isinstance(old, bool) != isinstance(value, bool):
        return False
    if isinstance(old, list) and isinstance(value, list):
        return [_without_empty(item) for item in old] == [_without_empty(item) for item in value]
    if key in PATHS and isinstance(old, str) and isinstance(value, str):
        beside = folder is not None and bool(old) and _exists(folder / old)
        return same_value(key, str((folder / old).absolute()) if beside and folder else old, value)
    return bool(old == value)


def _without_empty(item: Any) -> Any:
    return {key: value for key, value in item.items() if value is not None} if isinstance(item, dict) else item


def portable(key: str, value: Any, folder: Path) -> Any:
    """How a file in ``folder`` names another one: relative to itself where that is near, so both can be moved."""
    if key not in PATHS or not isinstance(value, str):
        return value
    path = Path(value).expanduser()
    if not _exists(path):
        # A bundled name, or nothing at all: it stays, unless a file beside ours would be taken instead.
        return str(find_data(value).absolute()) if _exists(folder / value) else value
    whole, home = Path(os.path.abspath(path)), Path(os.path.abspath(folder))
    for near in (home, home.parent):
        if near in whole.parents and near != Path(home.anchor):
            return Path(os.path.relpath(whole, home)).as_posix()
    return _bundled_name(whole) or str(whole)


def _bundled_name(path: Path) -> str:
    """The short name of a file that comes with the program, '' for any other."""
    name = "/".join(path.parts[-2:])
    try:
        return name if bundled_file(f"data/{name}").resolve() == path.resolve() else ""
    except UserError:
        return ""


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name with a NUL byte, or too long
        return False
