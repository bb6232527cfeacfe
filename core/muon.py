"""Muon: the momentum of a matrix, made orthogonal, is its update (Jordan et al. 2024).

An update whose singular values are all about 1 also moves the directions that gradients seldom point to. That is
what a small model waits for when it has to learn to copy from its context.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from .schema import ModelConfig

MOMENTUM = 0.95
#: Brings an update to the root mean square of AdamW's, so that both take the same learning rates and decay (Liu et
#: al. 2025, "Muon is scalable for LLM training").
LIKE_ADAMW = 0.2
#: An odd polynomial that drives singular values of 0.001 to 1 near 1 in five rounds (Jordan et al. 2024). Four rounds
#: with a polynomial each (Amsel et al. 2025) were 3 ms faster and, after 500 steps of the reader, 5 % of answers worse.
QUINTIC = (3.4445, -4.7750, 2.0315)
ROUNDS = 5


def orthogonal(matrices: Tensor) -> Tensor:
    """Each of ``matrices`` (count, rows, columns), no more rows than columns, with singular values near 1: between
    about 0.7 and 1.2.

    Newton-Schulz, products only, each with its sum in one call: 18 instead of 32 ms for the 28 matrices of a width of
    256 in bf16.
    """
    x: Tensor = matrices / (torch.linalg.matrix_norm(matrices, keepdim=True) + 1e-7)
    a, b, c = QUINTIC
    for _round in range(ROUNDS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x


def row_parts(name: str, config: ModelConfig) -> list[int] | None:
    """Rows of the matrices that lie in one parameter below each other; None: it is one matrix."""
    if name.endswith("attn.qkv.weight"):
        return [config.attention_width, *[config.kv_heads * config.head_size] * 2]
    if name.endswith("mlp.up.weight") and config.mlp == "swiglu":
        return [config.hidden] * 2
    return None


class Muon:
    """The update of the matrices that lie in one flat buffer, those of one shape computed together."""

    def __init__(self, places: Sequence[tuple[str, int, torch.Size]], config: ModelConfig, dtype: torch.dtype) -> None:
        """``places``: name, first element and shape of each parameter; ``dtype`` is computed with."""
        self.dtype = dtype
        self.by_shape: dict[tuple[int, int], list[tuple[int, bool]]] = {}
        """(shorter side, longer side): where in the buffer a matrix of that shape begins, and whether it is stored
        upright, with more rows than columns."""
        for name, begin, (rows, columns) in places:
            for height in row_parts(name, config) or [rows]:
                sides = min(height, columns), max(height, columns)
                self.by_shape.setdefault(sides, []).append((begin, height > columns))
                begin += height * columns

    def _matrices(self, flat: Tensor) -> Iterator[list[Tensor]]:
        """Views of those of one shape at a time, upright ones turned over."""
        for (short, long), found in self.by_shape.items():
            parts = [(flat[begin : begin + short * long], upright) for begin, upright in found]
            yield [part.view(long, short).mT if upright else part.view(short, long) for part, upright in parts]

    def update_(self, weights: Tensor, gradient: Tensor, momentum: Tensor, lr: float, decay: float) -> None:
        """One update, in place, of flat fp32 tensors of one length; Nesterov's form of momentum.

        ``gradient`` is used up: another 13 MB for the direction, fresh in every step, cost up to 20 ms of page faults.
        """
        torch.add(gradient, momentum, alpha=MOMENTUM, out=momentum)
        direction = gradient.add_(momentum, alpha=MOMENTUM).to(self.dtype)
        weights.mul_(1.0 - lr * decay)
        for (_, long), old, new in zip(self.by_shape, self._matrices(weights), self._matrices(direction), strict=True):
            moves = orthogonal(torch.stack(new)).float()
            for matrix, move in zip(old, moves, strict=True):
                matrix.sub_(move, alpha=lr * LIKE_ADAMW * long**0.5)
