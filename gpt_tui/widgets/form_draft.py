"""What is being edited: the settings as far as they are valid, and what is wrong with the rest.

A ``Draft`` never changes; typing makes a new one from the draft as it was when the field was entered. So a
half-typed number leaves nothing behind: the settings hold either what the field says or what it said before.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from core.config import Config
from core.errors import ConfigError, Phrase
from core.settings import Setting, settings
from core.text import printable

from .. import i18n
from ..config_text import value_of
from ..i18n import _
from ..setting_words import allowed_text, translated

MOST_DIGITS = 40  # int() of a pasted megabyte takes seconds


@dataclass(frozen=True)
class Problem:
    """Why a field cannot be taken over, in English."""

    text: str = ""
    """'': the field's own bounds say it."""

    def say(self, setting: Setting) -> str:
        if self.text:
            return i18n.translated(self.text) if isinstance(self.text, Phrase) else translated(self.text)
        return _("allowed: {words}").format(words=allowed_text(setting))


@dataclass(frozen=True)
class Draft:
    """The form's contents."""

    config: Config
    """Always valid."""
    waiting: Mapping[str, Any] = field(default_factory=dict)
    """Values that are right by themselves but do not fit the others; taken over as soon as they do."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """What stands in a field that cannot be read as a value."""
    problems: Mapping[str, Problem] = field(default_factory=dict)

    def value(self, key: str) -> Any:
        """What the field shows."""
        return self.waiting[key] if key in self.waiting else value_of(self.config, key)

    def typed(self, key: str, text: str) -> Draft:
        """With ``text`` in the field ``key``."""
        setting = settings()[key]
        current = self.value(key)
        if text == text_of(current):  # also where the value holds what cannot be typed
            return self.with_value(key, current)
        try:
            value = parse(setting, text)
        except ValueError:
            return self._refused(key, text, Problem())
        return self.with_value(key, value, text)

    def with_value(self, key: str, value: Any, text: str | None = None) -> Draft:
        """With another value in the field ``key``, and whatever waited for it."""
        clean = self.without(key)
        if clean.waiting:
            try:
                return Draft(self.config.update({**clean.waiting, key: value}), {}, clean.texts, clean._unfit())
            except ConfigError:
                pass  # not all at once; perhaps this one alone
        try:
            config = self.config.update({key: value})
        except ConfigError as error:
            return clean._blamed(key, value, text, error)
        return replace(clean, config=config)._settled()

    def with_config(self, config: Config) -> Draft:
        """Other settings altogether."""
        return Draft(config)

    # -- parts ------------------------------------------------------------------------------------------------

    def without(self, key: str) -> Draft:
        """With the setting's own value in a field that is wrong."""
        return Draft(
            self.config,
            {k: v for k, v in self.waiting.items() if k != key},
            {k: v for k, v in self.texts.items() if k != key},
            {k: v for k, v in self.problems.items() if k != key},
        )

    def _unfit(self) -> dict[str, Problem]:
        """The problems that are not about values waiting for others."""
        return {key: problem for key, problem in self.problems.items() if key not in self.waiting}

    def _settled(self) -> Draft:
        """Take over each waiting value that fits by now."""
        draft = self
        for key, value in self.waiting.items():
            try:
                config = draft.config.update({key: value})
            except ConfigError:
                continue
            draft = replace(draft.without(key), config=config)
        return draft

    def _blamed(self, key: str, value: Any, text: str | None, error: ConfigError) -> Draft:
        at = str(error.values.get("key", ""))
        if at == key or at.startswith(f"{key}."):
            empty = value == "" or value == []
            problem = Problem("must not be empty") if empty else _list_problem(key, value, error)
            return self._refused(key, text_of(value) if text is None else text, problem)
        problem = problem_of(error)
        return replace(self, waiting={**self.waiting, key: value}, problems={**self.problems, key: problem})

    def _refused(self, key: str, text: str, problem: Problem) -> Draft:
        clean = self.without(key)
        return replace(clean, texts={**clean.texts, key: text}, problems={**clean.problems, key: problem})


def problem_of(error: ConfigError) -> Problem:
    """Of settings that do not go together."""
    said = error.values.get("problem")
    return Problem(said if isinstance(said, str) else Phrase(error.template, **error.values))


def _list_problem(key: str, value: Any, error: ConfigError) -> Problem:
    """For a list, what the schema allows is in its length; for a text it may be in what the error says."""
    if isinstance(value, list):
        most = list_limit(key)
        return Problem(f"at most {most} entries") if most is not None and len(value) > most else Problem()
    allowed = getattr(error.values.get("problem"), "values", {}).get("allowed")
    if isinstance(allowed, Phrase) and allowed != settings()[key].allowed():
        return Problem(Phrase("allowed: {words}", words=allowed))
    return Problem()


# -- text and values ----------------------------------------------------------------------------------------------


def text_of(value: Any) -> str:
    """A value as it stands in its field."""
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return printable(str(value))


def parse(setting: Setting, text: str) -> Any:
    """The value that ``text`` means. Raises ``ValueError`` where it means none of this kind."""
    if setting.kind == "text":
        return None if setting.optional and not text else text
    # Full-width digits come from Chinese input methods: １２ is 12.
    text = unicodedata.normalize("NFKC", text).strip()
    if not text:
        if setting.optional:
            return None
        raise ValueError("empty")
    if len(text) > MOST_DIGITS:
        raise ValueError("too long")
    if setting.kind == "float":
        return float(text)
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if number.is_integer():  # 1e3 is a whole number too
            return int(number)
        raise


def entry_names(key: str) -> tuple[str, ...]:
    """The parts of each entry of a list: () for plain text, ('prompt', 'expected') for probes."""
    from typing import get_args

    from pydantic import BaseModel

    section, _dot, name = key.rpartition(".")
    model = Config.model_fields[section].annotation if section else Config
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    inner = get_args(model.model_fields[name].annotation)
    if inner and isinstance(inner[0], type) and issubclass(inner[0], BaseModel):
        return tuple(inner[0].model_fields)
    return ()


def list_limit(key: str) -> int | None:
    """How many entries the schema allows."""
    section, _dot, name = key.rpartition(".")
    model = Config.model_fields[section].annotation
    for bound in model.model_fields[name].metadata:  # type: ignore[union-attr]
        most = getattr(bound, "max_length", None)
        if most is not None:
            return int(most)
    return None


_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_MEANT = {"\\": "\\", "n": "\n", "t": "\t", "r": "\r"}


def escaped(text: str) -> str:
    """Text with everything invisible written out, so that a stop string such as a new line can be edited."""
    return "".join(_ESCAPES.get(char) or (char if char.isprintable() else _code(char)) for char in text)


def _code(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def unescaped(text: str) -> str:
    """The inverse of ``escaped``; a backslash before anything else stays as it is."""
    found: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        follow = text[at + 1 : at + 2]
        digits = {"x": 2, "u": 4, "U": 8}.get(follow, 0)
        code = text[at + 2 : at + 2 + digits]
        if char != "\\" or not follow:
            found.append(char)
            at += 1
        elif follow in _MEANT:
            found.append(_MEANT[follow])
            at += 2
        elif digits and len(code) == digits and _is_code(code):
            found.append(chr(int(code, 16)))
            at += 2 + digits
        else:
            found.append(char)
            at += 1
    return "".join(found)


def _is_code(code: str) -> bool:
    try:
        number = int(code, 16)
    except ValueError:
        return False
    return number < 0x110000 and not 0xD800 <= number < 0xE000
