"""Heads that copy before anything has been learnt."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from core.config import Config
from core.errors import ConfigError
from core.induction import look_back, orthonormal
from core.model import GPT, rope_table
from core.schema import ModelConfig

VOCAB = 500


def fresh(**settings: Any) -> GPT:
    known: dict[str, Any] = {"n_layer": 3, "n_head": 4, "n_embd": 256, "seq_len": 128, "dropout": 0.0,
                             "qkv_bias": True, "init": "induction"}  # fmt: skip
    return GPT(ModelConfig(**known | settings), VOCAB).init_weights(1).eval()


@torch.no_grad()
def losses(model: GPT) -> tuple[float, float]:
    """Of random tokens, and of the same tokens once more."""
    half = torch.randint(3, VOCAB, (16, 50), generator=torch.Generator().manual_seed(2))
    tokens = torch.cat([half, half], 1)
    logits = model.logits(model(tokens[:, :-1]))
    each = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none").view(16, -1)
    return float(each[:, :48].mean()), float(each[:, 51:].mean())


def test_what_comes_again_is_likelier_before_any_training() -> None:
    new, again = losses(fresh())
    assert abs(new - math.log(VOCAB)) < 0.1
    assert again < new - 0.08
    new, again = losses(fresh(init="random"))
    assert abs(again - new) < 0.02


@pytest.mark.parametrize("places", [1, 3])
@pytest.mark.parametrize("size", [16, 64])
def test_a_head_looks_so_many_places_back(places: int, size: int) -> None:
    query, key = look_back(places, size, 10_000.0)
    cos, sin = rope_table(100, size, 10_000.0)

    def turned(vector: torch.Tensor, at: int) -> torch.Tensor:
        swapped = torch.cat([vector[size // 2 :], vector[: size // 2]])
        return vector * cos[at] + swapped * sin[at]

    for now in (20, 90):
        scores = torch.stack([turned(query, now) @ turned(key, before) for before in range(now + 1)]) / math.sqrt(size)
        assert int(scores.argmax()) == now - places
        assert float(scores.softmax(0)[now - places]) > (0.8 if size == 64 else 0.5)


@pytest.mark.parametrize("shape", [{"n_head": 6, "head_dim": 64}, {"n_head": 2, "head_dim": 64, "n_embd": 96}])
def test_more_and_wider_heads_copy_too(shape: dict[str, Any]) -> None:
    new, again = losses(fresh(**shape))
    assert again < new - 0.06


def test_rows_are_orthonormal_and_a_matter_of_the_seed() -> None:
    rows = orthonormal(8, 32, torch.Generator().manual_seed(3))
    assert torch.allclose(rows @ rows.T, torch.eye(8), atol=1e-5)
    assert torch.equal(fresh().blocks[1].attn.qkv.weight, fresh().blocks[1].attn.qkv.weight)


@pytest.mark.parametrize(
    "settings",
    [
        {"qkv_bias": False},
        {"position": "learned"},
        {"n_kv_head": 2},
        {"n_layer": 1},
        {"n_embd": 32},
        {"n_embd": 32, "head_dim": 64},
    ],
)
def test_what_cannot_be_started_so_is_refused(settings: dict[str, Any]) -> None:
    changes = {"model.init": "induction", "model.qkv_bias": True}
    changes |= {f"model.{key}": value for key, value in settings.items()}
    with pytest.raises(ConfigError, match="init: induction needs"):
        Config().update(changes)
