"""What can be set: every leaf of the schema, as a form field, an option or a message needs it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from .errors import Phrase
from .schema import Settings


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
    open_high: bool
    """The upper bound itself is not allowed."""
    unit: str
    help: str
    live: bool
    """May change while a training runs."""
    default: Any

    def allowed(self) -> str:
        """What a person may write here, in words: a ``Phrase``."""
        if self.kind == "choice":
            words = Phrase("one of {choices}", choices=", ".join(self.choices))
        elif self.kind == "bool":
            words = Phrase("true or false")
        elif self.kind in ("int", "float"):
            words = self._bounds(Phrase("a whole number") if self.kind == "int" else Phrase("a number"))
        elif self.kind == "list":
            words = Phrase("a list")
        else:
            words = Phrase("text")
        return Phrase("{words} or empty", words=words) if self.optional else words

    def _bounds(self, number: Phrase) -> Phrase:
        if self.low is None:
            return number
        low = _plain(self.low)
        if self.high is None:
            if self.open_low:
                return Phrase("{number} above {low}", number=number, low=low)
            return Phrase("{number} of at least {low}", number=number, low=low)
        high = _plain(self.high)
        if self.open_low:
            return Phrase("{number} above {low} and up to {high}", number=number, low=low, high=high)
        if self.open_high:
            return Phrase("{number} from {low} to below {high}", number=number, low=low, high=high)
        return Phrase("{number} from {low} to {high}", number=number, low=low, high=high)


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
    open_low = open_high = False
    for bound in info.metadata:
        if isinstance(bound, Ge):
            low = float(bound.ge)  # type: ignore[arg-type]
        elif isinstance(bound, Gt):
            low, open_low = float(bound.gt), True  # type: ignore[arg-type]
        elif isinstance(bound, Le):
            high = float(bound.le)  # type: ignore[arg-type]
        elif isinstance(bound, Lt):
            high, open_high = float(bound.lt), True  # type: ignore[arg-type]
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    return Setting(
        key, kind, optional, choices, low, high, open_low, open_high,
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
