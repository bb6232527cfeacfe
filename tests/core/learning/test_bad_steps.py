"""Numbers that are none: steps skipped, and the way back."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import RunError
from core.events import (
    Eval,
    Event,
    RolledBack,
    Skipped,
    Step,
)  # fmt: skip
from core.train import run_training

from .tricks import at_step, checksums, poison, script

Lab = Any


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("micro_batch", [None, 2])
def test_nothing_is_learnt_from_a_bad_step(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, value: float, micro_batch: int | None
) -> None:
    poison(monkeypatch, {None: {4, 6}, 2: {7, 12}}[micro_batch].__contains__, value=value)
    trainer = lab.trainer({"training.micro_batch": micro_batch})
    trainer.run.path.mkdir()
    trainer.run.save_config(trainer.config)
    kept: list[dict[str, torch.Tensor]] = []
    events = []
    with lab.recorder() as recorder:
        for event in run_training(trainer, recorder, resume=False):
            events.append(event)
            if isinstance(event, (Step, Skipped)):
                now = {**trainer.optimizer.weights(), **trainer.optimizer.state()}
                if isinstance(event, Step):
                    kept.append({name: tensor.clone() for name, tensor in now.items()})
                assert all(torch.equal(tensor, kept[-1][name]) for name, tensor in now.items())
    assert [(e.step, e.total) for e in lab.of(Skipped, events)] == [(3, 1), (4, 2)]
    assert not lab.of(RolledBack, events)
    assert [step.step for step in lab.of(Step, events)] == list(range(1, 9))
    assert all(math.isfinite(step.loss) for step in lab.of(Step, events))
    report = lab.run().report()
    assert report["skipped_steps"] == 2


def test_a_gradient_that_is_no_number_is_a_bad_step_too(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = lab.trainer()
    before = trainer.model.embed.weight.detach().clone()

    def overflow(gradient: torch.Tensor) -> torch.Tensor:
        return gradient * math.inf

    handle = trainer.model.blocks[0].mlp.up.weight.register_hook(overflow)
    result = trainer.step(np.arange(4), 1e-2)
    handle.remove()
    assert math.isfinite(result.loss_sum)
    assert not result.good
    assert torch.equal(trainer.model.embed.weight, before)
    assert trainer.step(np.arange(4), 1e-2).good  # and the next step has none of it


def test_bad_steps_move_on_to_other_rows(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    poison(monkeypatch, {3, 4}.__contains__)  # the last batch of the first epoch, the first one of the second
    steps = lab.of(Step, lab.train({"training.max_steps": 4}))
    assert [step.epoch for step in steps] == pytest.approx([1 / 3, 2 / 3, 5 / 3, 2])


def test_three_bad_steps_go_back_to_the_last_checkpoint_at_half_the_rate(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"training.save_interval": 4, "training.max_steps": 12}
    straight = lab.of(Step, lab.train(changes, "straight"))
    poison(monkeypatch, {7, 8, 9}.__contains__)
    events = lab.train(changes)
    (back,) = lab.of(RolledBack, events)
    assert (back.step, back.to_step, back.lr_scale) == (6, 4, 0.5)
    assert [skip.total for skip in lab.of(Skipped, events)] == [1, 2, 3]
    steps = lab.of(Step, events)
    assert [step.step for step in steps] == [1, 2, 3, 4, 5, 6, 5, 6, 7, 8, 9, 10, 11, 12]
    assert [step.loss for step in steps[:6]] == [step.loss for step in straight[:6]]
    again, first = steps[6], steps[4]
    assert again.loss == first.loss  # the same weights, the same rows, the same dropout
    assert again.lr == pytest.approx(first.lr / 2)
    assert steps[7].loss != steps[5].loss
    assert events[-1].reason == "max_steps"
    assert lab.run().report()["skipped_steps"] == 3


def test_bad_steps_count_in_a_row_only(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    poison(monkeypatch, lambda call: call % 3 != 0)  # two bad ones, a good one, and so on
    events = lab.train({"training.max_steps": 4})
    assert len(lab.of(Skipped, events)) == 8
    assert not lab.of(RolledBack, events)


def test_without_a_checkpoint_it_goes_back_to_the_beginning(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    poison(monkeypatch, {3, 4, 5}.__contains__)
    events = lab.train({"training.max_steps": 4})
    (back,) = lab.of(RolledBack, events)
    assert (back.step, back.to_step, back.lr_scale) == (2, 0, 0.5)
    steps = lab.of(Step, events)
    assert [step.step for step in steps] == [1, 2, 1, 2, 3, 4]
    assert steps[2].loss == steps[0].loss
    assert steps[2].tokens == steps[0].tokens


def test_going_back_takes_time_too(lab: Lab, monkeypatch: pytest.MonkeyPatch, clock: Any) -> None:
    """Or a time budget would be overrun by what was lost."""

    def wait() -> None:
        clock.now += 100.0

    poison(monkeypatch, {7, 8, 9}.__contains__)
    steps = lab.of(Step, lab.train({"training.save_interval": 4}, on=at_step(5, wait)))
    assert [step.step for step in steps] == [1, 2, 3, 4, 5, 6, 5, 6, 7, 8]
    times = [step.elapsed for step in steps]
    assert times == sorted(times)
    assert 200.0 < times[-1] < 230.0  # step 5 came twice


def test_going_back_keeps_the_best_checkpoint(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is better than the loss at the checkpoint need not be better than the best since then."""
    script(monkeypatch, [3.0, 1.0, 2.0, 0.5])
    poison(monkeypatch, {5, 6, 7}.__contains__)
    changes = {"training.save_interval": 3, "training.eval_interval": 2, "training.max_steps": 6}
    best: list[dict[str, bytes]] = []

    def on(event: Event) -> None:
        if isinstance(event, (Skipped, Eval)) and (lab.run().checkpoints / "best").exists():
            best.append(checksums(lab.run().checkpoints / "best"))

    events = lab.train(changes, on=on)
    assert [(e.step, e.loss, e.best, e.improved) for e in lab.of(Eval, events)] == [
        (2, 3.0, 3.0, True),
        (4, 1.0, 1.0, True),
        (4, 2.0, 1.0, False),
        (6, 0.5, 0.5, True),
    ]
    assert lab.of(RolledBack, events)[0].to_step == 3
    assert best[1] == best[-1]  # from the first bad step to the evaluation before the next gain


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_a_hopeless_training_ends_and_its_good_checkpoints_stay(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    changes = {"training.save_interval": 2, "training.eval_interval": 3, "training.dtype": dtype}
    poison(monkeypatch, lambda call: call > 4)
    good: dict[str, bytes] = {}

    def on(event: Event) -> None:
        if isinstance(event, Skipped) and not good:
            good.update(checksums(lab.run().checkpoints))

    events, error = lab.failing(changes, on=on)
    assert isinstance(error, RunError)
    assert re.search(r"not a number.*step 4.*training\.lr.*gpt-tui doctor", str(error))
    assert len(lab.of(RolledBack, events)) == 1
    assert len(lab.of(Skipped, events)) == 6
    assert {name.partition("/")[0] for name in good} == {"step-00000002", "step-00000004", "best"}
    now = checksums(lab.run().checkpoints)
    # What was learnt is as it was; that it went back once is noted in the checkpoint it went back to.
    assert {name for name in good if now[name] != good[name]} == {
        "step-00000004/state.json", "step-00000004/manifest.json",
    }  # fmt: skip
    assert lab.run().load().step == 4
    assert lab.run().state() == "stopped"  # the lock is free again
