"""Why a training ends: steps, epochs, minutes, patience, a loss."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from core.events import (
    Started,
    Step,
)  # fmt: skip
from core.model import GPT
from core.training.budget import total_steps

from .tricks import script

Lab = Any


def test_epochs_are_passes_over_the_data(lab: Lab) -> None:
    events = lab.train({"training.max_steps": None, "training.max_epochs": 2.5})
    assert (events[-1].reason, events[-1].steps) == ("max_epochs", 8)  # 3 batches an epoch, rounded up
    assert lab.of(Started, events)[0].total_steps == 8


def test_epochs_are_counted_in_decimal_numbers(lab: Lab) -> None:
    """1.1 * 50 is 55.00000000000001."""
    trainer = lab.trainer({"training.max_steps": None, "training.max_epochs": 1.1})
    trainer.per_epoch = lambda: 50
    assert total_steps(trainer) == 55


def test_steps_and_epochs_whichever_comes_first(lab: Lab) -> None:
    events = lab.train({"training.max_steps": 5, "training.max_epochs": 100.0})
    assert (events[-1].reason, events[-1].steps) == ("max_steps", 5)


def test_a_time_budget_ends_the_run_at_the_lowest_rate(lab: Lab, clock: Any) -> None:
    changes = {"training.max_steps": None, "training.max_minutes": 1.0, "training.lr": 1e-2, "training.min_lr": 1e-4}
    events = lab.train(changes)
    steps, end = lab.of(Step, events), events[-1]
    assert end.reason == "max_minutes"
    assert 60.0 <= end.train_seconds < 66.0
    assert lab.of(Started, events)[0].total_steps is None
    rates = [step.lr for step in steps]
    top = rates.index(max(rates))
    assert 0 < top < len(rates) // 4
    assert max(rates) == pytest.approx(1e-2, rel=0.05)
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] == pytest.approx(1e-4, rel=1.0)
    assert steps[-1].progress == pytest.approx(1.0, abs=0.05)
    middle = steps[len(steps) // 2]
    assert middle.eta == pytest.approx(60.0 - middle.elapsed, rel=0.05)


def test_steps_end_a_run_before_its_time_budget(lab: Lab) -> None:
    events = lab.train({"training.max_steps": 4, "training.max_minutes": 60.0})
    assert (events[-1].reason, events[-1].steps) == ("max_steps", 4)
    assert lab.of(Step, events)[-1].lr < 1.5e-3  # the schedule follows the steps then


def test_patience(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, [3.0, 2.0, 2.5, 2.0])  # equal is not better
    changes = {"training.max_steps": 50, "training.eval_interval": 2, "training.early_stopping_patience": 2}
    events = lab.train(changes)
    end = events[-1]
    assert (end.reason, end.steps, end.best_loss, end.best_step) == ("early_stopping", 8, 2.0, 4)
    assert lab.run().load("best").step == 4
    assert lab.run().load("last").step == 8
    assert lab.run().report()["reason"] == "early_stopping"


def test_patience_starts_anew_with_every_gain(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, [3.0, 3.1, 2.9, 3.0, 2.8, 2.9, 3.0])
    changes = {"training.max_steps": 50, "training.eval_interval": 1, "training.early_stopping_patience": 2}
    assert lab.train(changes)[-1].steps == 7


def test_stop_loss_is_the_validation_loss(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, [3.0, 1.1, 0.9])
    changes = {"training.max_steps": 50, "training.eval_interval": 2, "training.stop_loss": 1.0}
    events = lab.train(changes)
    assert (events[-1].reason, events[-1].steps) == ("stop_loss", 6)


def lucky(monkeypatch: pytest.MonkeyPatch, calls: set[int]) -> None:
    """Make the loss of these micro-batches of the training (counted from 1) a hundredth of what it is."""
    loss_sum, count = GPT.loss_sum, itertools.count(1)

    def patched(self: GPT, inputs: torch.Tensor, targets: torch.Tensor, *more: torch.Tensor | None) -> torch.Tensor:
        loss = loss_sum(self, inputs, targets, *more)
        return loss * 0.01 if self.training and next(count) in calls else loss

    monkeypatch.setattr(GPT, "loss_sum", patched)


@pytest.mark.parametrize("valid", [True, False], ids=["with validation", "without"])
def test_one_lucky_micro_batch_stops_nothing(lab: Lab, monkeypatch: pytest.MonkeyPatch, valid: bool) -> None:
    """Fault 6: seed 001 stopped before the end of its warm-up on the loss of one row."""
    lucky(monkeypatch, {4, 8, 12, 16, 20, 24})  # the last one of every step, and of every log interval
    changes: dict[str, Any] = {"training.max_steps": 12, "training.micro_batch": 2, "training.eval_interval": 2}
    changes |= {"training.stop_loss": 1.0, "training.log_interval": 2}
    if not valid:
        changes |= {"data.valid": None, "data.valid_fraction": 0.0}
    assert lab.train(changes)[-1].reason == "max_steps"


def test_without_validation_the_mean_of_an_interval_decides(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lucky(monkeypatch, {3, 4, 5, 6})
    changes: dict[str, Any] = {"data.valid": None, "data.valid_fraction": 0.0, "training.max_steps": 12}
    changes |= {"training.log_interval": 2, "training.eval_interval": 2, "training.stop_loss": 1.0}
    events = lab.train(changes)
    assert (events[-1].reason, events[-1].steps) == ("stop_loss", 4)
