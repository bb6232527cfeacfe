"""Keeps the estimates supplied with what they need to know, without ever keeping anybody waiting."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.config import Config
from core.machine import usable_cores

from ..estimate_facts import MIN_SECONDS, MIN_STEPS, gather, measure_machine
from ..estimates import Estimate, Facts, estimate, sample_key
from ..step_cost import Machine

if TYPE_CHECKING:
    from ..desk import Desk

Measure = Callable[[int | None], Machine]


class FactFinder:
    """Says what a config will cost by what is known, and when it is time to look for more."""

    def __init__(self, desk: Desk, measure: Measure | None) -> None:
        """``measure`` tells the speed of the machine; None: with torch, as soon as somebody has imported it."""
        self._desk, self._measure = desk, measure
        self.facts = Facts(threads=usable_cores())
        self.unknown = True
        """How long a training takes cannot be said yet."""
        self._busy = False
        self._looked_for: object = None

    def estimate(self, config: Config) -> Estimate:
        found = estimate(config, self.facts)
        self.unknown = not found.source
        return found

    def forget(self) -> None:
        """There is something new to be found: look again."""
        self._looked_for = None

    def search(self, config: Config, tell: Callable[[Facts | None], object]) -> Callable[[], None] | None:
        """What a thread should do now, if anything; it hands what it finds to ``tell``, and at last None."""
        measure = self._way_to_measure()
        key = (sample_key(config), self._rate_is_on_record())
        new = self._looked_for != key
        if self._busy or not (new or (measure and self.unknown and self.facts.machine is None and self.facts.sample)):
            return None
        self._busy, self._looked_for = True, key
        facts, runs = self.facts, self._desk.runs_dir

        def work() -> None:
            try:
                for found in gather(config, facts, runs, measure):
                    tell(found)
            finally:
                tell(None)

        return work

    def found(self, facts: Facts | None) -> None:
        """What ``tell`` was given, back in the thread of the screen."""
        if facts is None:
            self._busy = False
        else:
            self.facts = facts

    def _rate_is_on_record(self) -> bool:
        """Whether the training that goes on has written down how fast it is."""
        last = self._desk.session.snapshot().last
        return last is not None and last.step >= MIN_STEPS and last.elapsed >= MIN_SECONDS

    def _way_to_measure(self) -> Measure | None:
        if self._desk.session.active:  # it would slow the training down, and measure nothing
            return None
        return self._measure or (measure_machine if "torch" in sys.modules else None)
