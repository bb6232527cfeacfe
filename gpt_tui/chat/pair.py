"""The same question put to two models, and what comes of comparing their answers."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..format import size
from ..i18n import _
from .conversation import FEW, Exchange
from .records import Choice


@dataclass
class Side:
    """One of the two answers."""

    choice: Choice
    exchange: Exchange


@dataclass
class Pair:
    """A question and its two answers."""

    question: str
    sides: list[Side] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return all(side.exchange.reply is None for side in self.sides)

    def as_text(self) -> str:
        """For the clipboard."""
        return "\n".join(f"{side.choice.name}: {side.exchange.answer}" for side in self.sides)


def first_difference(a: str, b: str) -> int | None:
    """Where two answers part; None: they are the same."""
    if a == b:
        return None
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def verdict(pair: Pair) -> str:
    """What the comparison says, in one line; '' while it is not over, or where one answer was stopped by hand."""
    a, b = pair.sides
    if not pair.over or any(side.exchange.error or side.exchange.reason == "user" for side in (a, b)):
        return ""
    place = first_difference(a.exchange.answer, b.exchange.answer)
    parts = [_("= the same answer") if place is None else _("≠ they part at character {n}").format(n=place + 1)]
    bytes_a, bytes_b = (side.exchange.facts.bytes if side.exchange.facts else 0 for side in (a, b))
    if bytes_a and bytes_b:
        parts.append(_("on disk {a} and {b} (×{ratio:.2f})").format(
            a=size(bytes_a), b=size(bytes_b), ratio=bytes_b / bytes_a))  # fmt: skip
    if min(a.exchange.tokens, b.exchange.tokens) >= FEW and a.exchange.rate and b.exchange.rate:
        parts.append(_("{a:,.0f} and {b:,.0f} tok/s (×{ratio:.2f})").format(
            a=a.exchange.rate, b=b.exchange.rate, ratio=b.exchange.rate / a.exchange.rate))  # fmt: skip
    return " · ".join(parts)
