"""Errors that a person can act on.

Every one carries a template and its values apart, so that the message can be shown in another language:
``UserError("{file} is empty", file="a.jsonl")``. What is not a ``UserError`` is a bug in this program.
"""

from __future__ import annotations

from typing import Any


class Phrase(str):
    """A piece of a message, in English, that keeps its template and values: ``Phrase("{n} rows", n=3)``.

    It stands among the values of an error, a notice or another phrase, and is a plain string to all who do not
    translate.
    """

    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, /, **values: Any) -> Phrase:
        phrase = super().__new__(cls, template.format(**values) if values else template)
        phrase.template, phrase.values = template, values
        return phrase

    def __str__(self) -> str:
        return self  # not a bare copy: what goes through str(error) can still be translated


class UserError(Exception):
    """Something the user can put right. ``str()`` is one English line."""

    def __init__(self, template: str, /, **values: Any) -> None:
        self.template = template
        self.values = values
        super().__init__(Phrase(template, **values))


class ConfigError(UserError):
    """A setting that is unknown, of the wrong kind, or out of its bounds."""


class DataError(UserError):
    """A data file that is missing, broken, or holds nothing to learn from."""


class CheckpointError(UserError):
    """A checkpoint that is missing, damaged, or does not fit."""


class RunError(UserError):
    """A run that does not exist, is held by another process, or cannot go on."""
