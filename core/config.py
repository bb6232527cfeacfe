"""Settings in and out: recipes, YAML files, overrides, and errors a person can act on.

Layers, later ones win: the schema's defaults, the recipe, the user's file, ``key=value`` overrides. A wrong
value is one line: file and line, the key, what was found, what is allowed, and the nearest known key.
"""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from .errors import ConfigError, Phrase
from .schema import Settings
from .settings import settings
from .text import printable
from .yamlio import KeyPath, dump_yaml, load_yaml, parse_scalar

RECIPES = Path(__file__).with_name("recipes")
#: Settings that name files.
PATHS = (("data", "train"), ("data", "valid"), ("data", "valid_unseen"), ("tokenizer", "path"),
         ("training", "start_from"))  # fmt: skip
#: What a folder holds that ``training.start_from`` may name by its path; where it holds neither, a run of that name is
#: meant.
MODEL_FILES = ("manifest.json", "config.yaml")

#: What other programs call these settings, the seeds' names among them: for the hint at an unknown key.
ELSEWHERE = {
    "learning_rate": "lr",
    "emb_dim": "n_embd",
    "hidden_size": "n_embd",
    "num_layers": "n_layer",
    "num_heads": "n_head",
    "context_length": "seq_len",
    "max_length": "seq_len",
    "block_size": "seq_len",
    "drop_rate": "dropout",
    "num_epochs": "max_epochs",
    "epochs": "max_epochs",
    "eval_freq": "eval_interval",
    "eval_iter": "eval_batches",
    "stop_strings": "stop",
    "train_path": "train",
    "val_path": "valid",
}


class Override(str):
    """``key=value``, and which option of a command said so: an error names that."""

    option: str

    def __new__(cls, text: str, option: str = "--set") -> Override:
        override = super().__new__(cls, text)
        override.option = option
        return override


class Config(Settings):
    """All settings of one run: immutable, validated, written and read as YAML."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Config:
        """Validate a nested mapping. Raises ``ConfigError`` with one line."""
        return _validate(values, source="", lines={})

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain nested values, ready for YAML or JSON."""
        return self.model_dump(mode="json")

    def update(self, overrides: Mapping[str, Any] | None = None, /, **sections: Any) -> Config:
        """A changed copy. Keys are dotted (``{"training.lr": 1e-3}``) or nested (``training={"lr": 1e-3}``)."""
        merged = self.to_dict()
        for changes in (_nest(overrides or {}), sections):
            _merge(merged, changes)
        return _validate(merged, source="", lines={})

    def with_shape_of(self, other: Config) -> Config:
        """A copy with the network and the vocabulary of ``other``, whose weights it can then begin with. Dropout, on
        which no weight depends, stays."""
        model = other.model.model_dump(mode="json") | {"dropout": self.model.dropout}
        return self.update(model=model, tokenizer=other.tokenizer.model_dump(mode="json"))

    def get(self, key: str) -> Any:
        """The value under a dotted key."""
        value: Any = self
        for part in key.split("."):
            value = getattr(value, part)
        return value


def recipe_names() -> list[str]:
    """The recipes that come with the program."""
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def load_config(
    recipe: str | None = None,
    file: Path | None = None,
    overrides: Sequence[str] = (),
    *,
    stored: bool = False,
) -> Config:
    """Settings from a recipe (name or file), a user's file on top, and ``key=value`` overrides on top of that.

    A file may itself name the recipe it builds on: ``recipe: teacher``. With ``stored`` it is the complete settings
    of a run, whose recipe may have been a file that is known to nobody here any more. Paths of data in a file are
    relative to that file; see ``core.records.find_data``. Raises ``ConfigError``.
    """
    merged: dict[str, Any] = {}
    lines: dict[KeyPath, int] = {}
    source = ""
    if recipe is not None:
        path = recipe_path(recipe)
        values, lines = _load_settings(path)
        merged = _base_of(values, lines, path) if path.parent != RECIPES else {}
        _anchor_paths(values, path.parent)
        _merge(merged, values)
        merged.setdefault("recipe", path.stem)
        source = str(path)
    if file is not None:
        values, file_lines = _load_settings(file)
        if recipe is None:
            merged = _base_of(values, file_lines, file, stored=stored)
        _anchor_paths(values, file.parent)
        _merge(merged, values)
        lines, source = file_lines, str(file)
    for item in overrides:
        key, separator, text = item.partition("=")
        key = key.strip()
        if not separator:
            raise ConfigError("--set {item}: expected key.path=value", item=item)
        if key not in settings():
            raise ConfigError("--set {key}: unknown setting{hint}", key=key, hint=_nearest(key, settings()))
        value = parse_scalar(text.strip())
        _merge(merged, _nest({key: value}))
        lines = {path: n for path, n in lines.items() if not _within(".".join(map(str, path)), key)}
    return _validate(merged, source=source, lines=lines, overridden=overrides)


def _base_of(values: dict[str, Any], lines: dict[KeyPath, int], file: Path, *, stored: bool = False) -> dict[str, Any]:
    """The settings of the recipe that a file builds on; none where it names none, or one of its own."""
    base = values.get("recipe")
    if isinstance(base, str) and base in recipe_names():
        return deepcopy(_of_recipe(base))
    if isinstance(base, str) and not stored and _is_misspelt(base):
        raise _unknown_recipe(base, f"{file}:{lines[('recipe',)]}: ")
    return {}


@cache
def _of_recipe(name: str) -> dict[str, Any]:
    """The settings of a recipe that comes with the program, read once: half the time of a list of 300 runs."""
    return _load_settings(RECIPES / f"{name}.yaml")[0]


def _load_settings(file: Path) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """A file of settings; a section whose lines were all taken out is as good as absent."""
    values, lines = load_yaml(file)
    sections = [key for key in Settings.model_fields if key not in settings()]
    return {key: value for key, value in values.items() if value is not None or key not in sections}, lines


def _within(key: str, parent: str) -> bool:
    return key == parent or key.startswith(parent + ".")


def recipe_path(recipe: str) -> Path:
    """The file of a recipe given by name or path. Raises ``ConfigError`` naming the recipes there are."""
    if recipe in recipe_names():
        return RECIPES / f"{recipe}.yaml"
    path = Path(recipe)
    with contextlib.suppress(OSError):  # a name too long
        if path.suffix in (".yaml", ".yml") or path.exists():
            return path
    raise _unknown_recipe(recipe)


def _is_misspelt(recipe: str) -> bool:
    """Whether a name is meant to be that of a built-in recipe: 'techer' is, 'teacher-2' and 'mine' are one's own.

    A file with a misspelt name would be trained with defaults that nobody asked for.
    """
    known = recipe_names()
    return not any(name in recipe for name in known) and bool(difflib.get_close_matches(recipe, known, 1, 0.8))


def _unknown_recipe(recipe: str, where: str = "") -> ConfigError:
    return ConfigError(
        "{where}unknown recipe '{recipe}'{hint}; there are: {names}",
        where=where,
        recipe=recipe,
        hint=_nearest(recipe, recipe_names()),
        names=", ".join(recipe_names()),
    )


def to_yaml(values: Mapping[str, Any]) -> str:
    """Settings as YAML text that ``load_yaml`` reads back to the same values."""
    return dump_yaml(values)


def _anchor_paths(values: dict[str, Any], folder: Path) -> None:
    """Data paths of a file are meant relative to it: make those that exist there absolute."""
    for section, key in PATHS:
        group = values.get(section)
        if isinstance(group, dict) and isinstance(group.get(key), str) and group[key]:
            candidate = folder / group[key]
            inside = MODEL_FILES if key == "start_from" else ("",)
            try:
                exists = any((candidate / name).exists() for name in inside)
            except (OSError, ValueError):  # a name with a NUL byte, or too long
                exists = False
            if exists:
                group[key] = str(candidate.absolute())


def _nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        *folders, leaf = key.split(".")
        node = nested
        for folder in folders:
            node = node.setdefault(folder, {})
        node[leaf] = value
    return nested


def _merge(base: dict[str, Any], top: Mapping[str, Any]) -> None:
    for key, value in top.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value


def _validate(
    values: Mapping[str, Any], *, source: str, lines: Mapping[KeyPath, int], overridden: Sequence[str] = ()
) -> Config:
    try:
        return Config.model_validate(dict(values))
    except ValidationError as error:
        details = error.errors(include_url=False)
    first = details[0]
    loc = tuple(part for part in first["loc"])
    key = ".".join(str(part) for part in loc)
    line = next((lines[loc[:n]] for n in range(len(loc), 0, -1) if loc[:n] in lines), None)
    where = _option(first, key, overridden) or (f"{source}:{line}" if line is not None and source else source)
    more = Phrase(" (and {count} more)", count=len(details) - 1) if len(details) > 1 else ""
    raise ConfigError(
        "{where}{key}: {problem}{more}",
        where=f"{where}: " if where else "",
        key=printable(key) or Phrase("settings"),  # an unknown one is whatever somebody wrote
        problem=_problem(key, first),
        more=more,
    )


def _option(detail: ErrorDetails, key: str, overridden: Sequence[str]) -> str:
    """The option that set what is wrong; '' where none did. An error about several settings of a section names them
    in its words, and any of them may have been set."""
    words = set(re.findall(r"\w+", str(detail.get("ctx", {}).get("template", ""))))
    for item in reversed(overridden):
        changed = item.partition("=")[0].strip()
        together = not key or changed.startswith(f"{key}.")
        if _within(key, changed) or (together and changed.rpartition(".")[2] in words):
            return item.option if isinstance(item, Override) else "--set"
    return ""


def _problem(key: str, detail: ErrorDetails) -> Phrase:
    if detail["type"] == "settings":
        values = dict(detail["ctx"])
        return Phrase(values.pop("template"), **values)
    if detail["type"] == "extra_forbidden":
        parent = key.rpartition(".")[0]
        here = [k for k in settings() if k.rpartition(".")[0] == parent]
        sections = list(Settings.model_fields) if not parent else []
        same = [k for k in settings() if k.endswith(f".{key}")]  # right but for its section
        hint = _nearest(key, same or here + sections) or _nearest(key, settings())
        return Phrase("unknown setting{hint}", hint=hint)
    if detail["type"] == "missing":
        return Phrase("is missing")
    known = settings().get(key)
    if known is None and key in Settings.model_fields:
        return Phrase("found {value}, expected a group of 'key: value' lines", value=_shown(detail["input"]))
    if detail["type"] in _LIMITS:
        allowed: str = Phrase(_LIMITS[detail["type"]], **detail["ctx"])
    else:
        allowed = known.allowed() if known is not None else Phrase(detail["msg"].lower())
    return Phrase("found {value}, allowed: {allowed}", value=_shown(detail["input"]), allowed=allowed)


#: What pydantic calls a text or list beyond its limits, and what is allowed instead.
_LIMITS = {
    "string_too_short": "text that is not empty",
    "string_too_long": "text of at most {max_length} characters",
    "string_pattern_mismatch": "text that matches {pattern}",
    "too_long": "a list of at most {max_length}",
}


def _shown(value: Any) -> str:
    if value is None:
        return Phrase("nothing")
    if isinstance(value, (dict, list)):
        return Phrase("a group") if isinstance(value, dict) else Phrase("a list")
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _nearest(key: str, known: Any) -> str:
    names = list(known)
    tails = {name.rpartition(".")[2]: name for name in names}
    section, _, leaf = key.rpartition(".")
    leaf = ELSEWHERE.get(leaf, leaf)
    match = [tails[m] for m in difflib.get_close_matches(leaf, tails, n=1, cutoff=0.6)]
    if not match and section not in Settings.model_fields:  # else the section alone would make any two keys alike
        match = difflib.get_close_matches(key, names, n=1, cutoff=0.75)
    return Phrase(", did you mean '{name}'?", name=match[0]) if match else ""
