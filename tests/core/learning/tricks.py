"""What several tests do to a training: act at a step, spoil a number, fill the disk."""

from __future__ import annotations

import errno
import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from core.events import (
    Event,
    Step,
)  # fmt: skip
from core.model import GPT


def at_step(step: int, act: Callable[[], None]) -> Callable[[Event], None]:
    """Act when the line of this step comes."""

    def on(event: Event) -> None:
        if isinstance(event, Step) and event.step == step:
            act()

    return on


def script(monkeypatch: pytest.MonkeyPatch, losses: list[float]) -> None:
    """Make evaluations find these validation losses, one after the other, the last one again and again."""
    left = iter(losses)
    monkeypatch.setattr("core.training.validation.evaluate_loss", lambda *_: next(left, losses[-1]))


def checksums(folder: Path) -> dict[str, bytes]:
    """All bytes of a folder, to see whether anything in it was touched."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def poison(monkeypatch: pytest.MonkeyPatch, calls: Callable[[int], bool], *, value: float = math.nan) -> list[int]:
    """Make the training loss of these calls (counted from 1) no number; returns the calls so far."""
    loss_sum, count = GPT.loss_sum, itertools.count(1)
    seen: list[int] = []

    def patched(self: GPT, inputs: torch.Tensor, targets: torch.Tensor, *more: torch.Tensor | None) -> torch.Tensor:
        loss = loss_sum(self, inputs, targets, *more)
        if self.training:
            seen.append(next(count))
            if calls(seen[-1]):
                return loss * value
        return loss

    monkeypatch.setattr(GPT, "loss_sum", patched)
    return seen


def full_disk(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")
