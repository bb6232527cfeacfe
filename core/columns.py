"""A matrix times a vector where the matrix lies in memory column by column.

The product is then a sum of columns, each times a number of the vector: what torch calls a bag of embeddings with
weights. Its kernel asks for the next columns ahead of time and takes several sums at once, one to a thread; the
library behind ``torch.mv`` does neither on processors other than its maker's. Four million weights in matrices of
256 x 1024 and the like, two cores of an AMD EPYC: 0.45–0.84 instead of 2.1–2.2 ms. On an Intel Xeon ``torch.mv`` needs
0.29, so that which is taken is measured.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor

#: Stretches of the vector that are summed apart: 1, 2 and 4 take 1.2, 0.88 and 0.84 ms of the above in a slow hour,
#: 1.2, 0.55 and 0.45 in a good one.
PARTS = 4

#: Weights of the smallest matrix that is worth it: 192 x 256 from a warm cache takes 6 µs by rows, 13 by columns.
SMALLEST = 1 << 16

#: How many times as fast as ``torch.mv`` it has to be. Where it is, it is more than twice as fast.
WORTH = 1.3

#: Of the measurement: where columns are faster it ends after the fewest, 20 ms.
FEWEST_ROUNDS, MOST_ROUNDS = 3, 8


def empty_matrix(shape: torch.Size, dtype: torch.dtype) -> Tensor:
    """A tensor without values for a weight, laid down by columns if it is a matrix of fp32 and that is faster here."""
    if len(shape) == 2 and shape.numel() >= SMALLEST and dtype == torch.float32 and faster():
        return torch.empty(shape[1], shape[0], dtype=dtype).t()
    return torch.empty(shape, dtype=dtype)


def lies_by_columns(matrix: Tensor) -> bool:
    return matrix.dtype == torch.float32 and matrix.t().is_contiguous() and not matrix.is_contiguous()


def vector_product(matrix: Tensor) -> Callable[[Tensor], Tensor]:
    """A function of a vector (columns,) to the product (rows,), a new one; ``matrix`` (rows, columns) lies by columns.

    For use inside ``torch.inference_mode``.
    """
    table, count = matrix.detach().t(), matrix.shape[1]  # of a parameter it would keep notes for a gradient: 8 µs
    columns = torch.arange(count)
    begins = torch.arange(PARTS) * count // PARTS

    def of_vector(x: Tensor) -> Tensor:
        # The arguments that follow: gradients scaled by frequency, no; mode 0, sum; sparse, no.
        return torch.embedding_bag(table, columns, begins, False, 0, False, x)[0].sum(0)

    return of_vector


@cache
def faster() -> bool:
    """Whether this processor is faster so, by ``WORTH``.

    Measured once, both ways in turn, on 24 MB: what the caches of a core hold for the next round would look as fast
    either way. The fastest rounds count, and there are up to ``MOST_ROUNDS`` of 5 ms: for a while both threads may
    share one core, and then a product of theirs takes ten times as long – a mean of three rounds saw that in every
    other process.
    """

    def seconds(products: Sequence[Callable[[Tensor], Tensor]]) -> float:
        begin = time.perf_counter()
        for product in products:
            product(x)
        return time.perf_counter() - begin

    with torch.inference_mode():
        x = torch.ones(512)
        matrices = torch.ones(24, 512, 512).unbind()
        by_rows = [matrix.mv for matrix in matrices]
        by_columns = [vector_product(matrix.t()) for matrix in matrices]
        quickest = [math.inf, math.inf]
        try:
            for number in range(MOST_ROUNDS + 1):
                round_ = seconds(by_rows), seconds(by_columns)
                if number:  # the first one reads kernels from the disk
                    quickest = [min(pair) for pair in zip(quickest, round_, strict=True)]
                if number >= FEWEST_ROUNDS and quickest[0] > WORTH * quickest[1]:
                    return True
        except RuntimeError:  # a build of torch without the kernel
            pass
        return False
