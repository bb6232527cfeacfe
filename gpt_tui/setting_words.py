"""A setting in words, in the chosen language: its help, its unit, what may be written, what is wrong with it.

The messages of the schema come as whole English sentences with numbers in them. To translate such a sentence its
numbers are lifted out: "n_embd (250) must be …" is looked up as "n_embd ({0}) must be …".
"""

from __future__ import annotations

import re

from core.settings import Setting
from core.text import printable

from . import i18n
from .i18n import _

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?!\w)")

#: Sections of the schema as headings; what stands outside all of them is about the recipe itself.
SECTIONS = {
    "": "Recipe",
    "model": "Model",
    "tokenizer": "Tokenizer",
    "data": "Data",
    "training": "Training",
    "lora": "LoRA tuning",
    "sampling": "Sampling",
}


def section_title(section: str) -> str:
    return _(SECTIONS.get(section, section))


def help_text(setting: Setting) -> str:
    return _(setting.help)


def unit_text(setting: Setting) -> str:
    """Looked up apart from other uses of the same word."""
    if not setting.unit:
        return ""
    key = f"[unit] {setting.unit}"
    found = _(key)
    return found if found != key else setting.unit


def translated(sentence: str) -> str:
    """A sentence of the engine with numbers in it, in the chosen language; as it is where none is known."""
    whole = _(sentence)
    if whole != sentence:
        return whole
    numbers = _NUMBER.findall(sentence)
    count = iter(range(len(numbers)))
    template = _NUMBER.sub(lambda _found: f"{{{next(count)}}}", sentence)
    known = _(template)
    return known.format(*numbers) if known != template else sentence


def allowed_text(setting: Setting) -> str:
    """``Setting.allowed()`` in the chosen language."""
    return i18n.translated(setting.allowed())


def value_text(value: object) -> str:
    """A value as a short word on the screen, safe to show."""
    if value is None or value == "" or value == []:
        return _("(empty)")
    if isinstance(value, bool):
        return _("on") if value else _("off")
    if isinstance(value, list):
        return _("{n} entries").format(n=len(value))
    return printable(str(value))
