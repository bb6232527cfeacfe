"""The training loop: what a step computes, when a run ends, what steers it, and what it survives."""

from __future__ import annotations

import errno
import itertools
import json
import math
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from core import checkpoint
from core import train as train_module
from core.batches import collate, epoch_order
from core.config import Config
from core.control import Control
from core.errors import ConfigError, DataError, RunError
from core.evaluate import evaluate_loss
from core.events import (
    Changed,
    Eval,
    Event,
    Finished,
    Notice,
    Probe,
    RolledBack,
    Saved,
    Skipped,
    Started,
    State,
    Step,
)  # fmt: skip
from core.model import GPT

Lab = Any


def at_step(step: int, act: Callable[[], None]) -> Callable[[Event], None]:
    """Act when the line of this step comes."""

    def on(event: Event) -> None:
        if isinstance(event, Step) and event.step == step:
            act()

    return on


def script(monkeypatch: pytest.MonkeyPatch, losses: list[float]) -> None:
    """Make evaluations find these validation losses, one after the other, the last one again and again."""
    left = iter(losses)
    monkeypatch.setattr("core.train.evaluate_loss", lambda *_: next(left, losses[-1]))


def checksums(folder: Path) -> dict[str, bytes]:
    """All bytes of a folder, to see whether anything in it was touched."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# -- one step -----------------------------------------------------------------------------------------------


def gradient(lab: Lab, rows: np.ndarray[Any, Any], micro_batch: int | None, **changes: Any) -> torch.Tensor:
    """The whole gradient of one optimizer step, before clipping would change it."""
    trainer = lab.trainer({"training.grad_clip": 0.0, "training.micro_batch": micro_batch, "training.batch_size": 12})
    trainer.step(rows, lr=1e-3)
    return torch.cat([group.gradient for group in trainer.optimizer._groups])


def test_micro_batches_give_the_gradient_of_the_whole_batch(lab: Lab) -> None:
    """Fault 5. The rows have 3 to 30 answer tokens, so that a mean of means would be far off."""
    rows = np.arange(12)
    whole = gradient(lab, rows, None)
    for size in (1, 2, 4, 5, 12):
        found = gradient(lab, rows, size)
        assert float((found - whole).norm() / whole.norm()) < 1e-6, size


def test_the_gradient_is_that_of_the_mean_over_supervised_tokens(lab: Lab) -> None:
    rows = np.array([1, 4, 9, 10])
    found = gradient(lab, rows, 2)
    trainer = lab.trainer()
    batch = collate(trainer.prepared.train, rows, trainer.prepared.tokenizer.pad)
    logits = trainer.model.logits(trainer.model(batch.inputs))
    loss = F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), ignore_index=-100)
    loss.backward()
    trainer.optimizer.collect_gradients(first=True)
    expected = torch.cat([group.gradient for group in trainer.optimizer._groups])
    assert float((found - expected).norm() / expected.norm()) < 1e-6


def test_a_step_reports_the_loss_and_tokens_of_the_whole_batch(lab: Lab) -> None:
    rows = np.arange(5)
    results = [lab.trainer({"training.micro_batch": size}).step(rows, 0.0) for size in (None, 1, 2)]
    trainer = lab.trainer()
    batch = collate(trainer.prepared.train, rows, trainer.prepared.tokenizer.pad)
    for result in results:
        assert result.supervised == batch.supervised
        assert result.real_tokens == batch.real_tokens
        with torch.no_grad():
            expected = float(trainer.model.loss_sum(batch.inputs, batch.targets))
        assert result.loss_sum == pytest.approx(expected, rel=1e-5)
        assert result.grad_norm == pytest.approx(results[0].grad_norm, rel=1e-5)


def test_only_the_answer_and_its_end_are_learnt(lab: Lab) -> None:
    prepared = lab.prepared()
    for row, (question, answer) in enumerate(lab.TRAIN):
        batch = collate(prepared.train, np.array([row]), prepared.tokenizer.pad)
        learnt = batch.targets[batch.targets >= 0].tolist()
        assert learnt[-1] == prepared.tokenizer.eos
        assert prepared.tokenizer.decode(learnt[:-1]) == answer
        given = batch.inputs[0][: int((batch.targets[0] >= 0).nonzero()[0]) + 1].tolist()
        assert given[0] == prepared.tokenizer.bos
        assert prepared.tokenizer.decode(given) == f"用户:{question}\n助手:"
        assert prepared.tokenizer.eos not in given


def test_the_learning_rate_of_a_step_is_that_of_the_schedule(lab: Lab) -> None:
    steps = lab.of(Step, lab.train({"training.max_steps": 20, "training.warmup_ratio": 0.25, "training.lr": 1e-3}))
    rates = [step.lr for step in steps]
    assert rates[:5] == pytest.approx([1e-4, 3e-4, 5e-4, 7e-4, 9e-4])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[-1] == pytest.approx(1e-5, rel=0.3)


def test_gradients_are_clipped(lab: Lab) -> None:
    norms = []
    for clip in (0.01, 0.0):
        trainer = lab.trainer({"training.grad_clip": clip})
        result = trainer.step(np.arange(4), 1e-3)
        assert result.grad_norm > 0.1  # what is told is the length before clipping
        norms.append(float(torch.cat([group.gradient for group in trainer.optimizer._groups]).norm()))
    assert norms[0] == pytest.approx(0.01, rel=1e-3)
    assert norms[1] > 0.1


def test_rows_of_exactly_the_longest_context_fit(lab: Lab) -> None:
    """45 is no multiple of the widths that batches are rounded up to."""
    for position in ("rope", "learned"):
        changes = {"model.seq_len": 45, "model.position": position, "training.max_steps": 3, "data.template": "plain"}
        long = [("问", "abcdefghij" * 9)]
        lab.write("train.jsonl", [*lab.TRAIN, *long])
        events = lab.train({**changes, "tokenizer.vocab_size": 260}, position)
        assert lab.of(Step, events)[-1].step == 3


# -- evaluation ---------------------------------------------------------------------------------------------


def test_validation_loss_is_weighted_by_tokens_not_by_batches(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault 6."""
    trainer = lab.trainer()
    data, pad = trainer.prepared.train, trainer.prepared.tokenizer.pad
    total, count = 0.0, 0
    for row in range(len(data)):
        batch = collate(data, np.array([row]), pad)
        with torch.no_grad():
            chances = torch.log_softmax(trainer.model.logits(trainer.model(batch.inputs)), -1)
        places = batch.targets >= 0
        total -= float(chances[places].gather(1, batch.targets[places][:, None]).sum())
        count += int(places.sum())
    for tokens in (1, 100, 10_000):
        monkeypatch.setattr("core.evaluate.EVAL_TOKENS", tokens)
        assert evaluate_loss(trainer.model, data, pad, "cpu") == pytest.approx(total / count, rel=1e-5)


def test_two_evaluations_are_equal_and_leave_training_on(lab: Lab) -> None:
    """Fault 4: dropout is off in an evaluation, and on again after it."""
    trainer = lab.trainer({"model.dropout": 0.5})
    data, pad = trainer.prepared.train, trainer.prepared.tokenizer.pad
    assert trainer.model.training
    first = evaluate_loss(trainer.model, data, pad, "cpu")
    assert evaluate_loss(trainer.model, data, pad, "cpu") == first
    assert trainer.model.training
    trainer.model.eval()
    evaluate_loss(trainer.model, data, pad, "cpu")
    assert not trainer.model.training


def test_evaluation_of_some_batches_only(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.evaluate.EVAL_TOKENS", 1)  # one row a batch
    trainer = lab.trainer()
    data, pad = trainer.prepared.train, trainer.prepared.tokenizer.pad
    calls = []
    loss_sum = GPT.loss_sum
    monkeypatch.setattr(GPT, "loss_sum", lambda *args: calls.append(1) or loss_sum(*args))
    evaluate_loss(trainer.model, data, pad, "cpu", max_batches=3)
    assert len(calls) == 3


def test_evaluations_probes_and_best_checkpoint(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, [3.0, 4.0, 2.0])
    probes = [{"prompt": "冰是什么？", "expected": "冰是固态的水。"}, {"prompt": "你好"}]
    events = lab.train({"training.max_steps": 6, "training.eval_interval": 2, "data.probes": probes})
    evals = lab.of(Eval, events)
    assert [(e.step, e.loss, e.best, e.best_step, e.improved) for e in evals] == [
        (2, 3.0, 3.0, 2, True),
        (4, 4.0, 3.0, 2, False),
        (6, 2.0, 2.0, 6, True),
    ]
    asked = lab.of(Probe, events)
    assert [(p.step, p.prompt, p.expected) for p in asked] == [
        (step, prompt, expected)
        for step in (2, 4, 6)
        for prompt, expected in (("冰是什么？", "冰是固态的水。"), ("你好", None))
    ]
    assert not any(p.exact for p in asked)
    assert [e.step for e in lab.of(Saved, events) if e.tag == "best"] == [2, 6]
    assert lab.run().load("best").step == 6
    assert (events[-1].best_loss, events[-1].best_step) == (2.0, 6)


def test_probes_are_answered_without_dropout(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    answer_batch = train_module.answer_batch

    def spy(model: GPT, *rest: Any) -> Any:
        seen.append(model.training)
        return answer_batch(model, *rest)

    monkeypatch.setattr(train_module, "answer_batch", spy)
    trainer = lab.trainer({"data.probes": [{"prompt": "冰是什么？"}], "model.dropout": 0.5})
    assert len(list(trainer.ask_probes())) == 1
    assert seen == [False]
    assert trainer.model.training


def test_a_probe_is_exact_when_it_is_answered_word_for_word(lab: Lab) -> None:
    lab.write("train.jsonl", [("冰？", "冷")])
    probes = [{"prompt": "冰？", "expected": "冷"}, {"prompt": "冰？", "expected": "冷的"}]
    changes = {"training.max_steps": 30, "training.lr": 1e-2, "data.probes": probes, "tokenizer.vocab_size": 260}
    events = lab.train({**changes, "training.eval_interval": 30})
    assert [(p.answer, p.exact) for p in lab.of(Probe, events)] == [("冷", True), ("冷", False)]


def test_an_evaluation_that_finds_no_number_is_no_gain(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, [math.nan, 3.0, math.nan])
    events = lab.train({"training.max_steps": 3, "training.eval_interval": 1})
    assert [e.improved for e in lab.of(Eval, events)] == [False, True, False]
    assert events[-1].best_loss == 3.0


def test_a_training_learns(lab: Lab) -> None:
    events = lab.train({"training.max_steps": 60, "training.lr": 1e-2, "training.eval_interval": 60})
    losses = [step.loss for step in lab.of(Step, events)]
    assert losses[0] == pytest.approx(math.log(300), abs=0.3)
    assert sum(losses[-3:]) / 3 < 0.6 * losses[0]


# -- the line of a log interval -----------------------------------------------------------------------------


def test_a_line_is_the_mean_over_the_tokens_of_its_interval(lab: Lab) -> None:
    single = lab.of(Step, lab.train({"training.max_steps": 6, "training.log_interval": 1}, "one"))
    triple = lab.of(Step, lab.train({"training.max_steps": 6, "training.log_interval": 3}, "three"))
    assert [step.step for step in triple] == [3, 6]
    prepared, config = lab.prepared(), lab.config()
    counts = []
    for number in range(6):
        order = epoch_order(prepared.train.lengths, 4, config.training.seed, number // 3)
        counts.append(collate(prepared.train, order[number % 3], prepared.tokenizer.pad).supervised)
    assert len(set(counts[:3])) > 1
    for line, part in zip(triple, (slice(0, 3), slice(3, 6)), strict=True):
        steps, weights = single[part], counts[part]
        mean = sum(s.loss * n for s, n in zip(steps, weights, strict=True)) / sum(weights)
        assert line.loss == pytest.approx(mean, rel=1e-6)


def test_a_line_counts_epochs_tokens_and_progress(lab: Lab) -> None:
    steps = lab.of(Step, lab.train({"training.max_steps": 6}))
    assert [step.epoch for step in steps] == pytest.approx([1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2])
    prepared = lab.prepared()
    per_epoch = int(prepared.train.lengths.sum()) - len(prepared.train)
    assert (steps[2].tokens, steps[5].tokens) == (per_epoch, 2 * per_epoch)
    assert [step.progress for step in steps] == pytest.approx([i / 6 for i in range(1, 7)])
    assert [step.elapsed for step in steps] == sorted(step.elapsed for step in steps)
    assert all(step.tokens_per_second > 0 for step in steps)
    assert [step.eta is None for step in steps] == [True] * 5 + [False]  # the first steps would mislead
    assert steps[-1].eta == pytest.approx(0.0, abs=1e-6)


def test_a_short_run_has_a_loss_too(lab: Lab) -> None:
    """Fault 17: no run ends with an empty figure because its last interval was not full."""
    events = lab.train({"training.max_steps": 3, "training.log_interval": 10})
    assert events[-1].loss == pytest.approx(math.log(300), abs=0.3)
    report = lab.run().report()
    assert report["loss"] == events[-1].loss


# -- the same seed, the same run ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_a_training_is_a_function_of_its_seed(lab: Lab, dtype: str) -> None:
    changes = {"training.dtype": dtype, "model.dropout": 0.3, "training.eval_interval": 4}
    lab.train(changes, "first")
    # whoever else draws random numbers meanwhile cannot change it
    lab.train(changes, "second", on=lambda event: torch.rand(3))
    lab.train({**changes, "training.seed": 43}, "third")
    first, second, third = (lab.trace(name) for name in ("first", "second", "third"))
    assert first == second
    assert all(a != b for a, b in zip(first, third, strict=True))
    files = [lab.run(name).checkpoints / "step-00000008" / "model.safetensors" for name in ("first", "second")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_dropout_differs_from_step_to_step(lab: Lab) -> None:
    trainer = lab.trainer({"model.dropout": 0.5})
    losses = []
    for step in (0, 0, 1):
        trainer.progress.step = step
        losses.append(trainer.step(np.arange(4), lr=0.0).loss_sum)
    assert losses[0] == losses[1] != losses[2]


# -- why a run ends -----------------------------------------------------------------------------------------


def test_epochs_are_passes_over_the_data(lab: Lab) -> None:
    events = lab.train({"training.max_steps": None, "training.max_epochs": 2.5})
    assert (events[-1].reason, events[-1].steps) == ("max_epochs", 8)  # 3 batches an epoch, rounded up
    assert lab.of(Started, events)[0].total_steps == 8


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

    def patched(self: GPT, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        loss = loss_sum(self, inputs, targets)
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


# -- the hand at the wheel ----------------------------------------------------------------------------------


def test_stop_saves_and_can_be_resumed(lab: Lab) -> None:
    control = Control()
    stop = at_step(5, lambda: control.request_stop("SIGINT"))
    events = lab.train({"training.max_steps": 50}, control=control, on=stop)
    assert isinstance(events[-1], Finished)
    assert (events[-1].reason, events[-1].steps) == ("SIGINT", 5)
    assert [(saved.step, saved.tag) for saved in lab.of(Saved, events)] == [(5, "last")]
    assert lab.run().report() is None  # not finished: nothing to hand in
    assert lab.run().state() == "stopped"
    assert lab.run().load().step == 5


def test_stop_before_the_first_step(lab: Lab) -> None:
    control = Control()
    control.request_stop("SIGTERM")
    events = lab.train(control=control)
    assert (events[-1].reason, events[-1].steps) == ("SIGTERM", 0)
    assert not lab.of(Step, events)


def test_discard_leaves_without_saving(lab: Lab) -> None:
    control = Control()
    changes = {"training.max_steps": 50, "training.save_interval": 3}
    events = lab.train(changes, control=control, on=at_step(5, lambda: control.request_stop("user", discard=True)))
    assert (events[-1].reason, events[-1].steps) == ("user", 5)
    assert [saved.step for saved in lab.of(Saved, events)] == [3]
    assert lab.run().report() is None


def test_a_pause_is_not_counted(lab: Lab, clock: Any) -> None:
    control = Control()
    seen: list[str] = []

    def on(event: Event) -> None:
        if isinstance(event, Step) and event.step == 3:
            control.pause()
        if isinstance(event, State):
            seen.append(event.state)
            if event.state == "paused":
                clock.now += 3600.0
                control.resume()

    events = lab.train({"training.max_steps": 6}, control=control, on=on)
    assert seen[seen.index("paused") + 1] == "training"
    assert lab.of(Step, events)[-1].elapsed < 60.0
    assert events[-1].train_seconds < 60.0
    assert events[-1].total_seconds > 3600.0


def test_a_paused_training_waits_saves_and_stops(lab: Lab) -> None:
    control = Control()
    events: list[Event] = []
    begin = time.perf_counter()
    for event in lab.start({"training.max_steps": 50}, control=control):
        events.append(event)
        if isinstance(event, Step) and event.step == 2:
            control.pause()
        if isinstance(event, State) and event.state == "paused":
            control.save_now = True
        if isinstance(event, Saved) and control.paused:
            control.request_stop()
    assert [step.step for step in lab.of(Step, events)] == [1, 2]
    assert [saved.step for saved in lab.of(Saved, events)] == [2]
    assert events[-1].reason == "user"
    assert time.perf_counter() - begin < 5.0


def test_pausing_changes_no_figure(lab: Lab) -> None:
    lab.train(name="straight")
    control = Control()

    def on(event: Event) -> None:
        if isinstance(event, Step) and event.step in (2, 5):
            control.pause()
        if isinstance(event, State) and event.state == "paused":
            control.resume()

    lab.train(name="paused", control=control, on=on)
    assert lab.trace("paused") == lab.trace("straight")


def test_save_now(lab: Lab) -> None:
    control = Control()

    def save() -> None:
        control.save_now = True

    events = lab.train({"training.max_steps": 6}, control=control, on=at_step(2, save))
    assert [saved.step for saved in lab.of(Saved, events) if saved.tag == "last"] == [2, 6]
    assert control.save_now is False


def test_live_settings_change_from_the_next_step_on(lab: Lab) -> None:
    control = Control()

    def change() -> None:
        control.update("training.lr", 1e-4)
        control.update("training.max_steps", 6)

    changes = {"training.max_steps": 50, "training.warmup_ratio": 0.0, "training.min_lr": 1e-5}
    events = lab.train(changes, control=control, on=at_step(3, change))
    assert [(e.step, e.values) for e in lab.of(Changed, events)] == [
        (3, {"training.lr": 1e-4}),
        (3, {"training.max_steps": 6}),
    ]
    rates = {step.step: step.lr for step in lab.of(Step, events)}
    assert rates[3] > 1e-3
    assert rates[4] < 1e-4
    assert (events[-1].reason, events[-1].steps) == ("max_steps", 6)
    assert lab.run().config().training.lr == 1e-4
    assert lab.run().load().config.training.max_steps == 6
    assert events == list(lab.run().read_metrics())


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("training.batch_size", 8, "training.batch_size: cannot change during a run"),
        ("model.n_layer", 3, "model.n_layer: cannot change during a run"),
        ("training.learning", 1, "training.learning: cannot change during a run"),
        ("training.lr", -1.0, "training.lr"),
        ("training.lr", "fast", "training.lr"),
        ("training.min_lr", 0.5, "min_lr (0.5) must not be above lr"),
        ("training.max_steps", None, "one of max_steps, max_epochs, max_minutes"),
    ],
)
def test_what_cannot_change_is_told_and_changes_nothing(lab: Lab, key: str, value: Any, words: str) -> None:
    control = Control()
    before: list[Config] = []

    def change() -> None:
        before.append(lab.run().config())
        control.update(key, value)

    events = lab.train({"training.max_steps": 4}, control=control, on=at_step(2, change))
    (notice,) = [notice for notice in lab.of(Notice, events) if notice.level == "warning"]
    assert words in notice.text
    assert not lab.of(Changed, events)
    assert lab.run().config() == before[0]
    assert events[-1].steps == 4


def test_a_full_disk_does_not_end_a_training_that_is_being_changed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    control = Control()

    def change() -> None:
        monkeypatch.setattr("core.runs.write_text", full_disk)
        control.update("training.lr", 1e-4)

    events = lab.train({"training.max_steps": 4}, control=control, on=at_step(2, change))
    assert any("No space left on device" in notice.text for notice in lab.of(Notice, events))
    assert lab.of(Step, events)[-1].lr < 1e-4
    assert events[-1].steps == 4


# -- numbers that are none ----------------------------------------------------------------------------------


def poison(monkeypatch: pytest.MonkeyPatch, calls: Callable[[int], bool], *, value: float = math.nan) -> list[int]:
    """Make the training loss of these calls (counted from 1) no number; returns the calls so far."""
    loss_sum, count = GPT.loss_sum, itertools.count(1)
    seen: list[int] = []

    def patched(self: GPT, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        loss = loss_sum(self, inputs, targets)
        if self.training:
            seen.append(next(count))
            if calls(seen[-1]):
                return loss * value
        return loss

    monkeypatch.setattr(GPT, "loss_sum", patched)
    return seen


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("micro_batch", [None, 2])
def test_nothing_is_learnt_from_a_bad_step(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, value: float, micro_batch: int | None
) -> None:
    poison(monkeypatch, {None: {4, 6}, 2: {7, 12}}[micro_batch].__contains__, value=value)
    trainer = lab.trainer({"training.micro_batch": micro_batch})
    trainer.path.path.mkdir()
    trainer.path.save_config(trainer.config)
    kept: list[dict[str, torch.Tensor]] = []
    events = []
    with lab.recorder() as recorder:
        for event in trainer.run(recorder, resume=False):
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


# -- the disk -----------------------------------------------------------------------------------------------


def full_disk(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_old_checkpoints_go_and_the_best_stays(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, [1.0, 2.0])
    changes = {"training.save_interval": 1, "training.eval_interval": 2, "training.keep_checkpoints": 3}
    lab.train(changes)
    names = sorted(path.name for path in lab.run().checkpoints.iterdir())
    assert names == ["best", "step-00000006", "step-00000007", "step-00000008"]
    assert lab.run().load("best").step == 2


def test_a_checkpoint_describes_itself(lab: Lab) -> None:
    lab.train({"training.dtype": "bf16"})
    folder = lab.run().checkpoints / "step-00000008"
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    assert Config.from_dict(state["config"]) == lab.run().config()
    assert (state["step"], state["dtype"], state["device"]) == (8, "bf16", "cpu")
    assert set(state["data_sha256"]) == {"train.jsonl", "valid/valid.jsonl"}
    assert state["torch"] == torch.__version__
    assert state["code"]
    weights = checkpoint.read_safetensors(folder / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}  # the master, whatever it computed with
    assert lab.run().load().tokenizer.fingerprint() == state["tokenizer_sha256"]


# -- data ---------------------------------------------------------------------------------------------------


def test_a_corpus_with_nothing_to_learn_is_refused(lab: Lab) -> None:
    """Fault 11: its loss would be NaN for an hour."""
    lab.write("train.jsonl", [(question, "".join(map(chr, range(0x4E00, 0x4E40)))) for question, _ in lab.TRAIN])
    events, error = lab.failing({"model.seq_len": 32})
    assert isinstance(error, DataError)
    assert "no answer is left to learn from" in str(error)
    assert not lab.of(Step, events)


def test_validation_rows_that_are_trained_on_are_dropped(lab: Lab) -> None:
    """Fault 14."""
    lab.write("valid.jsonl", [*lab.VALID, *lab.TRAIN[:4]])
    events = lab.train()
    data = lab.of(Started, events)[0].data
    assert (data["leaks"], data["valid_rows"], data["valid_used"], data["valid"]["rows"]) == (4, 7, 3, 3)
    assert "4 validation rows are also trained on (data.leaks: drop)" in [n.text for n in lab.of(Notice, events)]
    prepared = lab.prepared()
    assert [record.prompt for record in prepared.valid_records] == [question for question, _ in lab.VALID]
    kept = lab.prepared({"data.leaks": "keep"})
    assert len(kept.valid_records) == 7


def test_validation_that_is_all_leaks_is_none(lab: Lab) -> None:
    lab.write("valid.jsonl", lab.TRAIN)
    events = lab.train({"training.eval_interval": 2})
    assert not lab.of(Eval, events)
    assert any("no validation rows" in notice.text for notice in lab.of(Notice, events))
    assert not (lab.run().checkpoints / "best").exists()
    _, error = lab.failing({"training.early_stopping_patience": 3}, "patient")
    assert isinstance(error, ConfigError)


def test_rows_that_stand_there_twice_are_trained_on_once(lab: Lab) -> None:
    lab.write("train.jsonl", lab.TRAIN * 3)
    events = lab.train()
    data = lab.of(Started, events)[0].data
    assert (data["train_rows"], data["train_duplicates"], data["train_used"]) == (36, 24, 12)
    assert lab.of(Step, events)[2].epoch == pytest.approx(1.0)
    lab.train({"data.duplicates": "keep"}, "kept")
    assert lab.of(Step, lab.run("kept").read_metrics())[2].epoch == pytest.approx(1 / 3)


# -- the run ------------------------------------------------------------------------------------------------


def test_the_order_of_events(lab: Lab) -> None:
    events = lab.train({"training.max_steps": 2})
    kinds = [event.state if isinstance(event, State) else event.kind for event in events]
    assert kinds[:2] == ["preparing", "tokenizing"]
    began = kinds.index("started")
    assert kinds[began + 1 : began + 4] == ["training", "step", "step"]
    assert kinds[-2:] == ["done", "finished"]
    started = events[began]
    assert started.parameters == sum(p.numel() for p in lab.run().load().model.parameters())
    assert (started.resumed_step, started.total_steps, started.vocab_size, started.dtype) == (0, 2, 300, "fp32")


def test_a_run_is_not_trained_over(lab: Lab) -> None:
    lab.train({"training.max_steps": 1})
    before = checksums(lab.run().path)
    _, error = lab.failing()
    assert isinstance(error, RunError)
    assert "exists already" in str(error)
    assert checksums(lab.run().path) == before


def test_nothing_happens_before_the_first_event_is_asked_for(lab: Lab) -> None:
    lab.start()
    assert not lab.run().path.exists()


def test_threads_are_those_of_the_settings(lab: Lab) -> None:
    seen = []
    lab.train({"training.threads": 1}, on=lambda event: seen.append(torch.get_num_threads()))
    assert set(seen[2:]) == {1}
    assert SimpleNamespace(**lab.run().report()).threads == 1
