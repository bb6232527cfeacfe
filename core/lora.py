"""LoRA (Hu et al. 2021): a frozen matrix W learns as W + alpha / rank * B A, with A and B of a few rows and columns.

B begins as zeros: before the first step the model is the one it was. A checkpoint's ``model.safetensors`` holds the
sum, so that whatever reads it needs to know nothing of LoRA; the sum cannot be taken apart again to the last bit, so
W, A and B lie beside the optimizer's memory, for a resume.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .kernels import dropout
from .model import Block
from .schema import LoraConfig

#: Where each of ``lora.targets`` lies in a block.
PLACES = {"qkv": "attn.qkv", "proj": "attn.proj", "up": "mlp.up", "down": "mlp.down"}
FACTORS = ("lora_a", "lora_b")
APART = "apart."
"""Before the name of a tensor that was merged in ``model.safetensors``, among the optimizer's."""


class LoraLinear(nn.Module):
    """A linear layer and its factors. ``weight`` and ``bias`` keep the names they have without LoRA."""

    def __init__(self, base: nn.Linear, config: LoraConfig, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight, self.bias = base.weight, base.bias
        self.scale, self.dropout = config.alpha / rank, config.dropout
        outputs, inputs = base.weight.shape
        # As nn.Linear draws: uniform up to 1 / sqrt(inputs). Drawn here, so that the global generator is left alone.
        first = torch.empty(rank, inputs).uniform_(-1.0, 1.0, generator=generator) / math.sqrt(inputs)
        self.lora_a = nn.Parameter(first)
        self.lora_b = nn.Parameter(torch.zeros(outputs, rank))

    def forward(self, x: Tensor) -> Tensor:
        """(…, inputs) to (…, outputs): two small products more than without; B A itself is never computed."""
        given = dropout(x, self.dropout) if self.training and self.dropout else x
        return F.linear(x, self.weight, self.bias) + F.linear(F.linear(given, self.lora_a), self.lora_b) * self.scale


def add_lora(blocks: Iterable[Block], config: LoraConfig, seed: int) -> None:
    """Put factors on the targets of the blocks; ``config.rank`` must be set."""
    assert config.rank is not None
    generator = torch.Generator().manual_seed(seed)
    for block in blocks:
        for target in dict.fromkeys(config.targets):
            parent, _, leaf = PLACES[target].partition(".")
            base = block.get_submodule(PLACES[target])
            assert isinstance(base, nn.Linear)
            setattr(block.get_submodule(parent), leaf, LoraLinear(base, config, config.rank, generator))


def factors(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those of the weights that are factors."""
    return {name: weight for name, weight in weights.items() if name.rpartition(".")[2] in FACTORS}


def merged(weights: Mapping[str, Tensor], config: LoraConfig) -> dict[str, Tensor]:
    """The weights as a model without LoRA has them: fp32, each W with what its factors add."""
    found: dict[str, Tensor] = {}
    for name, weight in weights.items():
        place, _, leaf = name.rpartition(".")
        if leaf in FACTORS:
            continue
        found[name] = weight.float()
        if leaf == "weight" and f"{place}.lora_a" in weights:
            assert config.rank is not None
            a, b = (weights[f"{place}.{factor}"].float() for factor in FACTORS)
            found[name] = found[name] + config.alpha / config.rank * (b @ a)
    return found


def apart(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What ``merged`` puts together, under names that go beside the optimizer's memory; empty without LoRA."""
    places = [name.removesuffix("lora_a") for name in weights if name.endswith(".lora_a")]
    names = [place + leaf for place in places for leaf in ("weight", *FACTORS)]
    return {APART + name: weights[name] for name in names}


def put_apart(weights: Mapping[str, Tensor], memory: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of ``merged``, with what ``apart`` kept in ``memory``."""
    kept = {name.removeprefix(APART): value for name, value in memory.items() if name.startswith(APART)}
    return {**weights, **kept}
