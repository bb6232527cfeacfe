"""The losses of one run as numbers to draw, from its recorded events."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass

from .events import Eval, Started, Step, goes_back_to
from .runs import Run

MOST_POINTS = 2000  # of one line: more than a figure is wide
MEANS = 100  # points of the training loss where there are no evaluations to take its means between


@dataclass(frozen=True)
class Curve:
    """Logged steps, in order and each once, and evaluations."""

    name: str
    recipe: str
    steps: list[Step]
    evals: list[tuple[int, float]]
    """(step, loss)"""

    @property
    def lowest(self) -> float:
        return min(self._finite())

    @property
    def highest(self) -> float:
        return max(self._finite())

    @property
    def drawable(self) -> bool:
        return bool(self.steps and self._finite())

    def _finite(self) -> list[float]:
        return [loss for loss in [*(s.loss for s in self.steps), *(x for _, x in self.evals)] if math.isfinite(loss)]

    @property
    def tokens_per_epoch(self) -> float:
        last = self.steps[-1]
        return last.tokens / last.epoch if last.epoch > 0 and last.tokens > 0 else 1.0

    def epoch_at(self, step: int) -> float:
        """The epoch at a step, on a straight line between logged ones (and from the beginning)."""
        known = [0, *(s.step for s in self.steps)]
        epochs = [0.0, *(s.epoch for s in self.steps)]
        place = bisect_left(known, step)
        if place >= len(known):  # an evaluation after the last logged step
            last, first = len(known) - 1, max(0, len(known) - 2)
            span = known[last] - known[first]
            return epochs[last] + (epochs[last] - epochs[first]) * (step - known[last]) / span
        if known[place] == step:
            return epochs[place]
        share = (step - known[place - 1]) / (known[place] - known[place - 1])
        return epochs[place - 1] + share * (epochs[place] - epochs[place - 1])

    def train_means(self) -> tuple[list[float], list[float]]:
        """Epochs and mean training losses between evaluations, which then can be compared with them; without
        evaluations between equal parts of the steps."""
        marks = [step for step, _ in self.evals]
        if len(marks) < 3:
            size = max(1, len(self.steps) // MEANS)
            marks = [s.step for s in self.steps[size - 1 :: size]]
        if not marks or marks[-1] < self.steps[-1].step:
            marks.append(self.steps[-1].step)
        epochs: list[float] = []
        losses: list[float] = []
        place = 0
        for mark in marks:
            part: list[Step] = []
            while place < len(self.steps) and self.steps[place].step <= mark:
                part.append(self.steps[place])
                place += 1
            good = [s.loss for s in part if math.isfinite(s.loss)]
            if good:
                epochs.append(sum(s.epoch for s in part) / len(part))
                losses.append(sum(good) / len(good))
        return epochs, losses

    def thinned(self) -> tuple[list[int], list[float]]:
        """Steps and losses, of many every nth; a loss that is not a number leaves a gap."""
        every = -(-len(self.steps) // MOST_POINTS)
        chosen = self.steps[::every]
        return [s.step for s in chosen], [s.loss if math.isfinite(s.loss) else math.nan for s in chosen]

    @staticmethod
    def smooth(losses: list[float]) -> list[float]:
        """Running means over about a fiftieth of the points; a gap stays one."""
        weight = 1.0 / max(1.0, len(losses) / 50)
        mean = math.nan
        found: list[float] = []
        for loss in losses:
            if math.isfinite(loss):
                mean = loss if math.isnan(mean) else mean + weight * (loss - mean)
            found.append(mean if math.isfinite(loss) else math.nan)
        return found


def read_curve(run: Run) -> Curve:
    """The curve of a run so far. What a resume or a rollback did again counts once, as it was done last."""
    steps: dict[int, Step] = {}
    evals: dict[int, float] = {}
    recipe = ""
    for event in run.read_metrics():
        if isinstance(event, Started):
            recipe = event.recipe
        last = goes_back_to(event)
        if last is not None:
            steps = {step: value for step, value in steps.items() if step <= last}
            evals = {step: value for step, value in evals.items() if step <= last}
        elif isinstance(event, Step):
            steps[event.step] = event
        elif isinstance(event, Eval) and math.isfinite(event.loss):
            evals[event.step] = event.loss
    return Curve(run.name, recipe, [steps[n] for n in sorted(steps)], [(n, evals[n]) for n in sorted(evals)])
