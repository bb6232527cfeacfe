"""How to answer: the sampling settings as fields that a person types into, and stop strings as labels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from core.config import Config
from core.schema import SamplingConfig
from core.settings import Setting, settings
from core.text import printable

from ..i18n import _
from ..setting_words import allowed_text, help_text

#: Setting of ``sampling`` (and the seed), and its label.
FIELDS = (
    ("temperature", "temperature"),
    ("top_k", "top-k"),
    ("top_p", "top-p"),
    ("repetition_penalty", "repetition"),
    ("max_new_tokens", "most tokens"),
    ("min_new_tokens", "least tokens"),
    ("seed", "seed"),
)
SENTENCE_STOPS = ("。", "；")
"""What ends an answer in class: one sentence is enough."""
SEED_HELP = "Makes a draw with a temperature repeatable; empty: another each time."
MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class Options:
    """What the panel beside the conversation holds."""

    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    seed: int | None = None
    with_history: bool = False

    def text(self, name: str) -> str:
        """A field as it stands in its input."""
        value = self.seed if name == "seed" else getattr(self.sampling, name)
        return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)

    def changed(self, name: str, text: str) -> Options:
        """With a field as typed. Raises ``ValueError`` with one line for what it may not be."""
        text = text.strip()
        if name == "seed":
            if text and not (text.isascii() and text.isdigit() and int(text) <= MAX_SEED):
                raise ValueError(_("a whole number of at least 0, or empty"))
            return replace(self, seed=int(text) if text else None)
        setting = settings()[f"sampling.{name}"]
        value = _number(text, setting)
        if name == "max_new_tokens" and value < self.sampling.min_new_tokens:
            raise ValueError(_("not below the least, {n}").format(n=self.sampling.min_new_tokens))
        if name == "min_new_tokens" and value > self.sampling.max_new_tokens:
            raise ValueError(_("not above the most, {n}").format(n=self.sampling.max_new_tokens))
        return replace(self, sampling=_with(self.sampling, {name: value}))

    def with_stops(self, stops: tuple[str, ...]) -> Options:
        return replace(self, sampling=_with(self.sampling, {"stop": list(stops)}))

    def summary(self) -> str:
        """Everything in one line."""
        sampling = self.sampling
        parts = [f"T {sampling.temperature:g}"]
        if sampling.temperature:
            parts += [f"top-k {sampling.top_k}"] if sampling.top_k is not None else []
            parts += [f"top-p {sampling.top_p:g}"] if sampling.top_p < 1 else []
            parts += [f"{_('seed')} {self.seed}"] if self.seed is not None else []
        if sampling.repetition_penalty != 1:
            parts.append(f"{_('repetition')} {sampling.repetition_penalty:g}")
        parts.append(f"≤ {sampling.max_new_tokens}")
        parts.append(_("stop {stops}").format(stops=" ".join(map(stop_label, sampling.stop)) or "–"))
        parts.append(_("with history") if self.with_history else _("each question alone"))
        return " · ".join(parts)


def _with(sampling: SamplingConfig, changes: dict[str, Any]) -> SamplingConfig:
    return Config().update({f"sampling.{k}": v for k, v in (sampling.model_dump() | changes).items()}).sampling


def _number(text: str, setting: Setting) -> Any:
    """What was typed, within the schema's bounds. Raises ``ValueError`` saying what is allowed."""
    if not text and setting.optional:
        return None
    try:
        value = int(text) if setting.kind == "int" else float(text)
    except ValueError:
        raise ValueError(allowed_text(setting)) from None
    too_low = setting.low is not None and (value <= setting.low if setting.open_low else value < setting.low)
    if too_low or (setting.high is not None and value > setting.high) or value != value:
        raise ValueError(allowed_text(setting))
    return value


def help_of(name: str) -> str:
    """The sentence under a field."""
    return _(SEED_HELP) if name == "seed" else help_text(settings()[f"sampling.{name}"])


def stop_label(stop: str) -> str:
    """A stop string as a label: a new line as ⏎, nothing but blanks as ␣, everything else visible."""
    label = stop.replace("\n", "⏎").replace("\t", "⇥")
    return printable(label if label.strip() else "␣" * len(label))


def stop_to_edit(stop: str) -> str:
    """A stop string as typed: a new line as ``\\n``."""
    return stop.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")


def stop_from_edit(text: str) -> str:
    """The inverse of ``stop_to_edit``; ⏎ is a new line too."""
    out, rest = "", text
    while rest:
        pair = rest[:2]
        if pair in ("\\n", "\\t", "\\\\"):
            out, rest = out + {"\\n": "\n", "\\t": "\t", "\\\\": "\\"}[pair], rest[2:]
        else:
            out, rest = out + {"⏎": "\n", "⇥": "\t"}.get(rest[0], rest[0]), rest[1:]
    return out


def toggled(stops: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[str, ...]:
    """All of ``wanted`` added, or, where all are there, taken away."""
    if all(stop in stops for stop in wanted):
        return tuple(stop for stop in stops if stop not in wanted)
    return (*stops, *(stop for stop in wanted if stop not in stops))
