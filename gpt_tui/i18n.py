"""Chinese and English. English texts are the keys; ``zh.py`` holds what they are in Chinese.

A text with values is translated before they are put in: ``_("step {n}").format(n=3)``.
"""

from __future__ import annotations

import locale
import os
from collections.abc import Set
from typing import Any

#: Values under these names are words of this program, of a library or of the system, never what a person wrote.
WORDS = frozenset({"problem", "kind", "reason"})

_language = "en"


def set_language(language: str | None) -> None:
    """'zh', 'en', or None for what the environment says."""
    global _language
    _language = language or detect_language()


def language() -> str:
    return _language


def detect_language() -> str:
    """'zh' where the locale is Chinese, else 'en'. An empty variable counts as not set (POSIX)."""
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable)
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    try:
        name = locale.getlocale()[0] or ""
    except ValueError:
        name = ""
    return "zh" if name.lower().startswith(("zh", "chinese")) else "en"


def _(text: str) -> str:
    """The text in the chosen language; English where no translation is there."""
    if _language == "en" or not text:
        return text
    from .zh import TEXTS

    return TEXTS.get(text, text)


def translated(message: Any, words: Set[str] = WORDS) -> str:
    """A message in the chosen language: an error, a notice or a ``core.errors.Phrase``; any other is a text.

    Phrases among the values are translated too, and so are values named in ``words``, where they are known.
    """
    template = getattr(message, "template", None)
    if template is None:
        return _(str(message))
    values = {
        key: translated(value, words) if hasattr(value, "template") or key in words else value
        for key, value in message.values.items()
    }
    return _(template).format(**values) if values else _(template)
