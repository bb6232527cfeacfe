"""Errors that a person can act on.

Every one carries a template and its values apart, so that the message can be shown in another language:
``UserError("{file} is empty", file="a.jsonl")``. What is not a ``UserError`` is a bug in this program.
"""

from __future__ import annotations

from typing import Any


class UserError(Exception):
    """Something the user can put right. ``str()`` is one English line."""

    def __init__(self, template: str, /, **values: Any) -> None:
        self.template = template
        self.values = values
        super().__init__(template.format(**values) if values else template)


class ConfigError(UserError):
    """A setting that is unknown, of the wrong kind, or out of its bounds."""


class DataError(UserError):
    """A data file that is missing, broken, or holds nothing to learn from."""


class CheckpointError(UserError):
    """A checkpoint that is missing, damaged, or does not fit."""


class RunError(UserError):
    """A run that does not exist, is held by another process, or cannot go on."""
