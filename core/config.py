"""Settings in and out: recipes, YAML files, overrides, and errors a person can act on.

Layers, later ones win: the schema's defaults, the recipe, the user's file, ``key=value`` overrides. A wrong
value is one line: file and line, the key, what was found, what is allowed, and the nearest known key.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from .errors import ConfigError
from .schema import Settings
from .yamlio import KeyPath, load_yaml, parse_scalar

RECIPES = Path(__file__).with_name("recipes")


@dataclass(frozen=True)
class Setting:
    """One leaf of the schema, as a form field or an option needs it."""

    key: str
    """Dotted path, e.g. ``training.lr``."""
    kind: str
    """'int', 'float', 'bool', 'text', 'choice', 'list'."""
    optional: bool
    """May be empty."""
    choices: tuple[str, ...]
    low: float | None
    high: float | None
    open_low: bool
    """The lower bound itself is not allowed."""
    unit: str
    help: str
    live: bool
    """May change while a training runs."""
    default: Any

    def allowed(self) -> str:
        """What a person may write here, in words."""
        if self.kind == "choice":
            words = "one of " + ", ".join(self.choices)
        elif self.kind == "bool":
            words = "true or false"
        elif self.kind in ("int", "float"):
            words = "a whole number" if self.kind == "int" else "a number"
            low = None if self.low is None else _plain(self.low)
            high = None if self.high is None else _plain(self.high)
            if low is not None and high is not None:
                words += f" above {low} and up to {high}" if self.open_low else f" from {low} to {high}"
            elif low is not None:
                words += f" above {low}" if self.open_low else f" of at least {low}"
        elif self.kind == "list":
            words = "a list"
        else:
            words = "text"
        return words + (" or empty" if self.optional else "")


def _plain(number: float) -> str:
    return f"{number:g}" if abs(number) < 1e6 else f"{number:.0f}"


def _describe(key: str, info: FieldInfo) -> Setting:
    annotation: Any = info.annotation
    optional = False
    if get_origin(annotation) in (Union, UnionType):
        parts = [part for part in get_args(annotation) if part is not type(None)]
        optional = len(parts) < len(get_args(annotation))
        annotation = parts[0]
    choices: tuple[str, ...] = ()
    if get_origin(annotation) is Literal:
        kind, choices = "choice", tuple(str(c) for c in get_args(annotation))
    elif get_origin(annotation) is list:
        kind = "list"
    else:
        kind = {bool: "bool", int: "int", float: "float"}.get(annotation, "text")
    low = high = None
    open_low = False
    for bound in info.metadata:
        if isinstance(bound, Ge):
            low = float(bound.ge)  # type: ignore[arg-type]
        elif isinstance(bound, Gt):
            low, open_low = float(bound.gt), True  # type: ignore[arg-type]
        elif isinstance(bound, Le):
            high = float(bound.le)  # type: ignore[arg-type]
        elif isinstance(bound, Lt):
            high = float(bound.lt)  # type: ignore[arg-type]
        elif isinstance(bound, MaxLen):
            high = None
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    return Setting(
        key, kind, optional, choices, low, high, open_low,
        unit=str(extra.get("unit", "")), help=info.description or "", live=bool(extra.get("live")),
        default=info.get_default(call_default_factory=True),
    )  # fmt: skip


def _leaves(section: type[BaseModel], prefix: str) -> Iterator[Setting]:
    for name, info in section.model_fields.items():
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _leaves(inner, f"{prefix}{name}.")
        else:
            yield _describe(prefix + name, info)


@cache
def settings() -> dict[str, Setting]:
    """Every setting by its dotted key, in the order of the schema."""
    return {leaf.key: leaf for leaf in _leaves(Settings, "")}


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
) -> Config:
    """Settings from a recipe (name or file), a user's file on top, and ``key=value`` overrides on top of that.

    A file may itself name the recipe it builds on: ``recipe: teacher``. Paths of data in a file are relative
    to that file; see ``core.records.find_data``. Raises ``ConfigError``.
    """
    merged: dict[str, Any] = {}
    lines: dict[KeyPath, int] = {}
    source = ""
    if recipe is not None:
        path = recipe_path(recipe)
        merged, lines = load_yaml(path)
        merged.setdefault("recipe", path.stem)
        _anchor_paths(merged, path.parent)
        source = str(path)
    if file is not None:
        values, file_lines = load_yaml(file)
        base = values.get("recipe")
        if recipe is None and isinstance(base, str) and base in recipe_names():
            merged, _ = load_yaml(recipe_path(base))
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
        lines = {path: n for path, n in lines.items() if ".".join(map(str, path)) != key}
    return _validate(merged, source=source, lines=lines, overridden=overrides)


def recipe_path(recipe: str) -> Path:
    """The file of a recipe given by name or path. Raises ``ConfigError`` naming the recipes there are."""
    if recipe in recipe_names():
        return RECIPES / f"{recipe}.yaml"
    path = Path(recipe)
    if path.suffix in (".yaml", ".yml") or path.exists():
        return path
    raise ConfigError(
        "unknown recipe '{recipe}'{hint}; there are: {names}",
        recipe=recipe,
        hint=_nearest(recipe, recipe_names()),
        names=", ".join(recipe_names()),
    )


def to_yaml(values: Mapping[str, Any]) -> str:
    """Settings as YAML text that ``load_yaml`` reads back to the same values."""
    import yaml

    return yaml.safe_dump(dict(values), allow_unicode=True, sort_keys=False, default_flow_style=False, width=1000)


def _anchor_paths(values: dict[str, Any], folder: Path) -> None:
    """Data paths of a file are meant relative to it: make those that exist there absolute."""
    for section, key in (("data", "train"), ("data", "valid"), ("tokenizer", "path")):
        group = values.get(section)
        if isinstance(group, dict) and isinstance(group.get(key), str) and group[key]:
            candidate = folder / group[key]
            try:
                exists = candidate.exists()
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
    set_here = any(item.partition("=")[0].strip() == key for item in overridden)
    where = "--set" if set_here else f"{source}:{line}" if line is not None and source else source
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    raise ConfigError(
        "{where}{key}: {problem}{more}",
        where=f"{where}: " if where else "",
        key=key or "settings",
        problem=_problem(key, first),
        more=more,
    )


def _problem(key: str, detail: ErrorDetails) -> str:
    if detail["type"] == "settings":
        return detail["msg"]
    if detail["type"] == "extra_forbidden":
        parent = key.rpartition(".")[0]
        here = [k for k in settings() if k.rpartition(".")[0] == parent]
        sections = list(Settings.model_fields) if not parent else []
        return "unknown setting" + (_nearest(key, here + sections) or _nearest(key, settings()))
    known = settings().get(key)
    if known is None and key in Settings.model_fields:
        return f"found {_shown(detail['input'])}, expected a group of 'key: value' lines"
    allowed = known.allowed() if known is not None else detail["msg"].lower()
    return f"found {_shown(detail['input'])}, allowed: {allowed}"


def _shown(value: Any) -> str:
    text = repr(value) if not isinstance(value, (dict, list)) else ("a group" if isinstance(value, dict) else "a list")
    return text if len(text) <= 60 else text[:57] + "..."


def _nearest(key: str, known: Any) -> str:
    names = list(known)
    tails = {name.rpartition(".")[2]: name for name in names}
    match = difflib.get_close_matches(key, names, n=1, cutoff=0.75)
    if not match:
        match = [tails[m] for m in difflib.get_close_matches(key.rpartition(".")[2], tails, n=1, cutoff=0.6)]
    return f", did you mean '{match[0]}'?" if match else ""
