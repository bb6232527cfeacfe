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
#: Odd polynomials, one for each round, that bring singular values up to 1 near 1 (Amsel et al. 2025, "The Polar
#: Express"). Four of them lift 0.001 as far as five rounds with one polynomial for all do (Jordan et al. 2024).
ROUNDS = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
)
#: bf16 may round a length to more than 1, and the first polynomial grows fast there.
A_LITTLE_SHORTER = 1.01


def orthogonal(matrices: Tensor) -> Tensor:
    """Each of ``matrices`` (count, rows, columns), no more rows than columns, with singular values near 1: those
    of 0.01 of its length and more lie between about 0.4 and 1.8.

    Products only, each with its sum in one call: 32 against 18 ms for the 28 matrices of a width of 256 in bf16.
    """
    x: Tensor = matrices / (torch.linalg.matrix_norm(matrices, keepdim=True) * A_LITTLE_SHORTER + 1e-7)
    for a, b, c in ROUNDS:
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x


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
