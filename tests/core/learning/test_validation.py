"""What a training finds out about itself: validation loss, the best checkpoint, probes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from core.batches import collate
from core.evaluate import evaluate_loss
from core.events import (
    Eval,
    Probe,
    Saved,
)  # fmt: skip
from core.model import GPT
from core.training import validation

from .tricks import script

Lab = Any


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
    answer_batch = validation.answer_batch

    def spy(model: GPT, *rest: Any) -> Any:
        seen.append(model.training)
        return answer_batch(model, *rest)

    monkeypatch.setattr(validation, "answer_batch", spy)
    trainer = lab.trainer({"data.probes": [{"prompt": "冰是什么？"}], "model.dropout": 0.5})
    assert len(list(validation.ask_probes(trainer))) == 1
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
