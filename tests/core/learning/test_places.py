"""Only where a loss looks is computed: the same loss, the same gradient, less work."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from core import prompt_loss
from core.batches import IGNORE, Batch
from core.cache import Cache
from core.model import GPT
from core.places import SHARES, WHOLE, Places
from core.prompt_loss import losses
from core.schema import ModelConfig

VOCABULARY = 40


def lively(**changes: Any) -> GPT:
    """A model of two blocks in which every parameter matters."""
    config = ModelConfig(**{"n_layer": 2, "n_head": 2, "n_embd": 16, "seq_len": 64, **changes})
    model = GPT(config, VOCABULARY).train()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1.0 if "norm" in name else 0.0, 0.2, generator=generator)
    return model


def batch_of(rows: int, time: int, learnt: float) -> tuple[Tensor, Tensor]:
    """Random inputs, and targets of which a share is ``learnt``."""
    generator = torch.Generator().manual_seed(3)
    tokens = torch.randint(0, VOCABULARY, (rows, time + 1), generator=generator)
    targets = tokens[:, 1:].clone()
    targets[torch.rand(rows, time, generator=generator) >= learnt] = IGNORE
    return tokens[:, :-1], targets


def rows_that_reach_the_last_block(model: GPT) -> list[int]:
    seen: list[int] = []
    model.blocks[-1].mlp.up.register_forward_hook(  # type: ignore[union-attr,operator]
        lambda _module, arguments, _output: seen.append(arguments[0].shape[:-1].numel())
    )
    return seen


@pytest.mark.parametrize("learnt", [0.0, 0.05, 0.6])
@pytest.mark.parametrize(
    "changes",
    [{}, {"position": "learned", "norm": "layernorm"}, {"mlp": "swiglu", "n_kv_head": 1}, {"n_layer": 1}],
    ids=["plain", "learned", "swiglu", "one block"],
)
def test_loss_and_gradient_are_those_of_the_whole(changes: dict[str, Any], learnt: float) -> None:
    inputs, targets = batch_of(8, 40, learnt)
    part, whole = lively(**changes), lively(**changes)
    seen = rows_that_reach_the_last_block(part)
    loss = part.loss_sum(inputs, targets)
    loss.backward()  # type: ignore[no-untyped-call]
    logits = whole.logits(whole(inputs)).flatten(0, 1)
    expected = F.cross_entropy(logits, targets.flatten(), reduction="sum", ignore_index=IGNORE)
    expected.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    assert seen[0] < 8 * 40, "nothing was left out"
    for (name, a), b in zip(whole.named_parameters(), part.parameters(), strict=True):
        assert a.grad is not None
        torch.testing.assert_close(b.grad, a.grad, atol=2e-5, rtol=1e-4, msg=name)


def test_with_blocks_computed_twice_the_gradient_is_the_same() -> None:
    inputs, targets = batch_of(8, 40, 0.3)
    once, twice = lively(), lively()
    twice.recompute = True
    seen = rows_that_reach_the_last_block(twice)
    for model in (once, twice):
        model.loss_sum(inputs, targets).backward()  # type: ignore[no-untyped-call]
    assert seen == [128, 128]
    for a, b in zip(once.parameters(), twice.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


def test_where_prompts_are_learnt_too_the_rest_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, targets = batch_of(8, 40, 0.1)
    model = lively()
    seen = rows_that_reach_the_last_block(model)
    goal, answers = losses(model, Batch(inputs, targets, 320), 0.2, -1)
    assert seen[0] < 320
    assert float(answers.detach()) == pytest.approx(float(model.loss_sum(inputs, targets).detach()), rel=1e-5)
    assert float(goal.detach()) > float(answers.detach())
    monkeypatch.setattr(prompt_loss, "COUNTED", 1.0)
    losses(model, Batch(inputs, targets, 320), 0.2, -1)
    assert seen[-1] == 320, "all are learnt"


@pytest.mark.parametrize(
    ("every", "wanted", "looked_at"),
    [
        (768, 500, 512),
        (768, 512, 576),  # one more at least: what is left out needs a place to point to
        (768, 703, 704),
        (768, 704, None),
        (768, 0, WHOLE),
        (50, 3, None),
        (2304, 500, 512),
        (2304, 513, 768),  # by whole 256: an eighth
    ],
)
def test_the_number_of_places_is_rounded_up(every: int, wanted: int, looked_at: int | None) -> None:
    mask = torch.zeros(every, dtype=torch.bool)
    mask[torch.randperm(every, generator=torch.Generator().manual_seed(1))[:wanted]] = True
    places = Places.that_are(mask.view(1, every))
    found = places.of(torch.arange(every).view(1, every))
    if looked_at is None:
        assert torch.equal(found, torch.arange(every))
        return
    assert len(found) == looked_at
    assert torch.equal(found[:wanted], mask.nonzero().squeeze(1))
    assert not mask[found[wanted:]].any(), "nobody counts the rest"
    shapes = {
        len(Places.that_are((torch.arange(every) < n).view(1, every)).of(mask.view(1, every))) for n in range(every)
    }
    assert len(shapes) <= max(SHARES, every // WHOLE) + 1


def test_the_way_back_brings_each_gradient_to_its_place() -> None:
    wanted = torch.rand(4, 64, generator=torch.Generator().manual_seed(2)) < 0.5
    places = Places.that_are(wanted)
    x = torch.randn(4, 64, 3, requires_grad=True)
    out = places.of(x)
    count = int(wanted.sum())
    gradient = torch.randn(out.shape)
    gradient[count:] = 0.0  # what nobody counts
    out.backward(gradient)
    assert x.grad is not None
    assert torch.equal(x.grad[wanted], gradient[:count])
    assert not x.grad[~wanted].any()


@torch.no_grad()
def test_what_follows_the_last_token_is_computed_for_it_alone() -> None:
    model = lively().eval()
    seen = rows_that_reach_the_last_block(model)
    tokens, _ = batch_of(3, 20, 1.0)
    logits = model.next_logits(tokens, Cache.empty(model, 3, 24))
    assert seen == [3]
    torch.testing.assert_close(logits, model.logits(model(tokens)[:, -1]))
