"""The prompt's tokens in the loss: a quarter of them, at their weight; answers counted as always."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from core import prompt_loss
from core.batches import IGNORE, Batch
from core.model import GPT
from core.prompt_loss import losses
from core.schema import ModelConfig

PAD = 0


@pytest.fixture
def model() -> GPT:
    return GPT(ModelConfig(n_layer=1, n_head=2, n_embd=16, seq_len=32, dropout=0.0), 30).init_weights(1)


@pytest.fixture
def batch() -> Batch:
    """Row 0: 8 given, 4 learnt; row 1: 4 given, 3 learnt, 5 of padding."""
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(1, 30, (2, 13), generator=generator)
    inputs, targets = tokens[:, :-1].clone(), tokens[:, 1:].clone()
    targets[0, :8] = IGNORE
    targets[1, :4], targets[1, 7:] = IGNORE, IGNORE
    inputs[1, 7:] = PAD
    return Batch(inputs, targets, 19)


@torch.no_grad()
def test_all_prompt_tokens_counted_give_the_loss_of_the_text(
    model: GPT, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_loss, "COUNTED", 1.0)
    goal, answers = losses(model, batch, 1.0, PAD)
    assert float(answers) == pytest.approx(float(model.loss_sum(batch.inputs, batch.targets)), rel=1e-6)
    following = batch.targets.clone()
    following[0, :8] = batch.inputs[0, 1:9]
    following[1, :4] = batch.inputs[1, 1:5]
    wanted = F.cross_entropy(
        model.logits(model(batch.inputs)).flatten(0, 1), following.flatten(), reduction="sum", ignore_index=IGNORE
    )
    assert float(goal) == pytest.approx(float(wanted), rel=1e-5)
    half, _ = losses(model, batch, 0.5, PAD)
    assert float(half) == pytest.approx(float(answers) + 0.5 * float(wanted - answers), rel=1e-5)


def test_a_quarter_counted_four_times_is_right_on_the_average(model: GPT, batch: Batch) -> None:
    with torch.no_grad():
        draws = [float(losses(model, batch, 1.0, PAD)[0]) for _ in range(400)]
        whole = [float(losses(model, batch, 0.0, PAD)[0]) for _ in range(3)]
    assert whole[0] == pytest.approx(whole[1]) == pytest.approx(whole[2]), "only prompts are drawn"
    prompts = sum(draws) / len(draws) - whole[0]
    assert prompts == pytest.approx(12 * torch.log(torch.tensor(30.0)).item(), rel=0.15)


def test_gradients_reach_all_weights(model: GPT, batch: Batch) -> None:
    losses(model, batch, 0.3, PAD)[0].backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in model.parameters())
