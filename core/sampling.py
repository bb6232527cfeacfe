"""From logits to the next token."""

from __future__ import annotations

import torch
from torch import Tensor

from .schema import SamplingConfig


def penalize_repetition(logits: Tensor, used: Tensor, penalty: float) -> Tensor:
    """Make tokens already used less likely (Keskar et al. 2019): divide positive logits by ``penalty``,
    multiply negative ones – dividing those would make them likelier. ``logits`` (vocabulary,), ``used`` (n,)."""
    if penalty == 1.0 or not len(used):
        return logits
    logits = logits.clone()
    values = logits[used]
    logits[used] = torch.where(values > 0, values / penalty, values * penalty)
    return logits


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """All but the k largest logits (vocabulary,) set to -inf."""
    if k >= logits.shape[-1]:
        return logits
    smallest = logits.topk(k).values[-1]
    return logits.masked_fill(logits < smallest, float("-inf"))


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    """All but the nucleus set to -inf (Holtzman et al. 2020): the fewest likeliest tokens whose probabilities
    reach ``p`` together, the one that crosses it included. The likeliest token always stays."""
    if p >= 1.0:
        return logits
    ordered, order = logits.sort(descending=True)
    probabilities = ordered.softmax(dim=-1)
    before = probabilities.cumsum(dim=-1) - probabilities
    drop = torch.zeros_like(logits, dtype=torch.bool)
    drop[order[1:]] = before[1:] >= p  # a p that is 0 in fp32 would drop the likeliest too
    return logits.masked_fill(drop, float("-inf"))


def choose(logits: Tensor, used: Tensor, config: SamplingConfig, generator: torch.Generator | None) -> int:
    """The next token for ``logits`` (vocabulary,): the likeliest at temperature 0, else a draw.

    Tokens that must not appear are -inf in ``logits`` already; ``used`` are those of the answer so far.
    """
    logits = penalize_repetition(logits, used, config.repetition_penalty)
    if config.temperature == 0.0:
        return int(logits.argmax())
    logits = logits / max(config.temperature, 1e-4)  # below that the exponent overflows, and it is greedy anyway
    if config.top_k is not None:
        logits = keep_top_k(logits, config.top_k)
    logits = keep_top_p(logits, config.top_p)
    return int(torch.multinomial(logits.softmax(dim=-1), 1, generator=generator))
