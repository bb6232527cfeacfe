"""One token at a time: the same logits as the general forward pass, for every architecture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from core import quantize
from core.cache import Cache
from core.decode import Decoder
from core.generate import FEWEST_ROWS, MOST_ROWS, rows_at_once
from core.lora import add_lora
from core.model import GPT
from core.quantize import load_quantized, quantize_weights
from core.schema import LoraConfig
from core.skeleton import unfilled_model

Make = Callable[..., GPT]
TOKENS = [5, 9, 1, 7, 3, 3, 60, 2, 41, 8]


@torch.inference_mode()
def error(model: GPT, prompt: int) -> float:
    """Largest difference of the logits to a whole forward pass, relative to the largest logit, when ``prompt`` tokens
    are read at once and the others one by one."""
    full = model.logits(model(torch.tensor([TOKENS])))[0]
    cache = Cache.empty(model, 1, len(TOKENS))
    model(torch.tensor([TOKENS[:prompt]]), cache)
    assert Decoder.fits(model, cache)
    decoder = Decoder(model, cache)
    got = torch.stack([decoder.logits(token) for token in TOKENS[prompt:]])
    return float((got - full[prompt:]).abs().max() / full.abs().max())


@pytest.mark.parametrize("norm", ["rmsnorm", "layernorm", "scalenorm"])
@pytest.mark.parametrize("mlp", ["silu", "gelu", "relu", "swiglu"])
@pytest.mark.parametrize("position", ["rope", "learned"])
@pytest.mark.parametrize("bias", [True, False])
def test_every_architecture(make_model: Make, norm: str, mlp: str, position: str, bias: bool) -> None:
    assert error(make_model(64, norm=norm, mlp=mlp, position=position, bias=bias), 3) < 1e-5


@pytest.mark.parametrize(
    "settings",
    [
        {"n_kv_head": 1},
        {"n_kv_head": 2},
        {"tie_embeddings": False},
        {"qkv_bias": True, "bias": False},
        {"n_layer": 1},
        {"head_dim": 24, "n_kv_head": 2},
        {"head_dim": 4},
    ],
)
def test_other_choices(make_model: Make, settings: dict[str, Any]) -> None:
    for prompt in (1, 9):
        assert error(make_model(64, **settings), prompt) < 1e-5


def test_lora(make_model: Make) -> None:
    """As a training asks its probes: the factors are not merged."""
    model = make_model(64)
    before = model.logits(model(torch.tensor([TOKENS])))
    add_lora(model.blocks, LoraConfig(rank=3), seed=0)  # type: ignore[arg-type]
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("lora_b"):
                parameter.normal_(0.0, 0.3, generator=torch.Generator().manual_seed(1))
    assert not torch.allclose(model.logits(model(torch.tensor([TOKENS]))), before, atol=0.01)
    assert error(model.eval(), 3) < 1e-5


@pytest.mark.parametrize("kernel", ["kernel for one row", "none"])
@pytest.mark.parametrize("tied", [True, False])
def test_int8(make_model: Make, tied: bool, kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same matrices, but rows of the general pass share their rounding with none here: nearly the same."""
    if kernel == "none":
        monkeypatch.setattr(quantize, "_byte_product", lambda: None)
    model = make_model(64, tie_embeddings=tied)
    small = unfilled_model(model.config, 64)
    load_quantized(small, quantize_weights(model, model.state_dict()))
    assert error(small.eval(), 4) < 2e-2


def test_weights_stay_as_they_are(make_model: Make) -> None:
    model = make_model(64, position="learned")
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    error(model, 2)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_what_it_does_not_fit(make_model: Make) -> None:
    model = make_model(64)
    assert not Decoder.fits(model, Cache.empty(model, 2, 8))
    padded = Cache.empty(model, 1, 8)
    padded.hidden_keys = torch.zeros(1, 8, dtype=torch.bool)
    assert not Decoder.fits(model, padded)
    assert not Decoder.fits(model.train(), Cache.empty(model, 1, 8))
    half = make_model(64).to(torch.bfloat16)
    assert not Decoder.fits(half, Cache.empty(half, 1, 8))


def test_small_models_answer_many_rows_at_once(make_model: Make) -> None:
    model = make_model(64)  # 2 layers of width 32: 512 bytes a token
    assert rows_at_once(model, 4) == MOST_ROWS
    assert rows_at_once(model, 3000) == 40_000_000 // 1_536_000
    assert rows_at_once(model, 1_000_000) == FEWEST_ROWS
