"""One step: its gradient, its loss, what it learns from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from core.batches import collate

Lab = Any


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


def test_gradients_are_clipped(lab: Lab) -> None:
    norms = []
    for clip in (0.01, 0.0):
        trainer = lab.trainer({"training.grad_clip": clip})
        result = trainer.step(np.arange(4), 1e-3)
        assert result.grad_norm > 0.1  # what is told is the length before clipping
        norms.append(float(torch.cat([group.gradient for group in trainer.optimizer._groups]).norm()))
    assert norms[0] == pytest.approx(0.01, rel=1e-3)
    assert norms[1] > 0.1


def test_dropout_differs_from_step_to_step(lab: Lab) -> None:
    trainer = lab.trainer({"model.dropout": 0.5})
    losses = []
    for step in (0, 0, 1):
        trainer.progress.step = step
        losses.append(trainer.step(np.arange(4), lr=0.0).loss_sum)
    assert losses[0] == losses[1] != losses[2]
