"""What a step finds, and whether it is good for anything."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import Phrase

#: A gradient this many times as long as usual, and longer than this, has exploded. Clipping would make a step of
#: ordinary length of it, in a direction that means nothing. Of the teacher recipe none is twice as long as usual.
EXPLODED, EXPLODED_FROM = 1000.0, 100.0
USUAL = 0.98  # memory of the running mean of lengths: some 50 steps


@dataclass(frozen=True)
class StepResult:
    """Of one optimizer step, over all its rows."""

    loss_sum: float
    supervised: int
    real_tokens: int
    grad_norm: float
    fault: str
    """What makes it worthless, '' where nothing does; see ``fault_of``."""

    @property
    def good(self) -> bool:
        return not self.fault


def fault_of(loss: float, norm: float, usual: float) -> str:
    """What is wrong with a step: 'loss', 'gradient' (no finite number), 'exploded', or '' for nothing.

    ``usual`` is the running mean of gradient lengths, 0 while none is known.
    """
    if not math.isfinite(loss):
        return "loss"
    if not math.isfinite(norm):
        return "gradient"
    return "exploded" if usual and norm > max(EXPLODED_FROM, EXPLODED * usual) else ""


def usual_length(usual: float, norm: float) -> float:
    """The running mean of gradient lengths with one more."""
    return USUAL * usual + (1.0 - USUAL) * norm if usual else norm


def diagnosis(result: StepResult, usual: float) -> Phrase:
    """The fault of a step, for people."""
    if result.fault == "loss":
        return Phrase("the loss is not a number")
    if result.fault == "gradient":
        return Phrase("the loss is {loss:.3g}, but its gradient is not a number",
                      loss=result.loss_sum / max(1, result.supervised))  # fmt: skip
    return Phrase("the gradient exploded, its length is {norm:.3g} instead of about {usual:.3g}",
                  norm=result.grad_norm, usual=usual)  # fmt: skip
