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
#: An odd polynomial that drives singular values of 0.001 to 1 near 1 in five rounds (Jordan et al. 2024).
QUINTIC = (3.4445, -4.7750, 2.0315)
ROUNDS = 5


def orthogonal(matrices: Tensor) -> Tensor:
    """Each of ``matrices`` (count, rows, columns) with singular values near 1: between about 0.7 and 1.2.

    Newton-Schulz, products only: in bf16 on 2 cores 4 ms for the 28 matrices of a width of 256.
    """
    x = matrices.mT if matrices.shape[-2] > matrices.shape[-1] else matrices
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    a, b, c = QUINTIC
    for _round in range(ROUNDS):
        square = x @ x.mT
        x = a * x + (b * square + c * (square @ square)) @ x
    out: Tensor = x.mT if matrices.shape[-2] > matrices.shape[-1] else x
    return out


def row_parts(name: str, config: ModelConfig) -> list[int] | None:
    """Rows of the matrices that lie in one parameter below each other; None: it is one matrix."""
    if name.endswith("attn.qkv.weight"):
        return [config.n_head * config.head_dim, *[config.kv_heads * config.head_dim] * 2]
    if name.endswith("mlp.up.weight") and config.mlp == "swiglu":
        return [config.hidden] * 2
    return None


class Muon:
    """The update of the matrices that lie in one flat buffer, those of one shape computed together."""

    def __init__(self, places: Sequence[tuple[str, int, torch.Size]], config: ModelConfig, dtype: torch.dtype) -> None:
        """``places``: name, first element and shape of each parameter; ``dtype`` is computed with."""
        self.dtype = dtype
        self.by_shape: dict[tuple[int, int], list[int]] = {}
        """(rows, columns): where in the buffer a matrix of that shape begins."""
        for name, begin, (rows, columns) in places:
            for height in row_parts(name, config) or [rows]:
                self.by_shape.setdefault((height, columns), []).append(begin)
                begin += height * columns

    def _matrices(self, flat: Tensor) -> Iterator[list[Tensor]]:
        for (rows, columns), begins in self.by_shape.items():
            yield [flat[begin : begin + rows * columns].view(rows, columns) for begin in begins]

    def update_(self, weights: Tensor, gradient: Tensor, momentum: Tensor, lr: float, decay: float) -> None:
        """One update, in place, of flat fp32 tensors of one length; Nesterov's form of momentum."""
        momentum.mul_(MOMENTUM).add_(gradient)
        direction = gradient.add(momentum, alpha=MOMENTUM)
        weights.mul_(1.0 - lr * decay)
        for old, new in zip(self._matrices(weights), self._matrices(direction), strict=True):
            moves = orthogonal(torch.stack(new).to(self.dtype)).float()
            length = lr * LIKE_ADAMW * max(old[0].shape) ** 0.5
            for matrix, move in zip(old, moves, strict=True):
                matrix.sub_(move, alpha=length)
