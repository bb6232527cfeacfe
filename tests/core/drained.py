"""Generators of events, run to their end."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from core.events import Event

T = TypeVar("T")


def drained(steps: Generator[Event, None, T]) -> tuple[list[Event], T]:
    """All events, and what the generator returns."""
    events: list[Event] = []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return events, end.value
