"""The rate that matrix products reach on this machine: what a training could reach at best."""

from __future__ import annotations

import statistics
import time

import torch
import torch.nn.functional as F

#: Rows, inputs and outputs of the products tried, all too large for a processor's cache: a layer's activations come
#: from memory too. The last two are layers of the recipes with a batch of 32 x 110 tokens. In the cache 1024 x 1024
#: x 1024 reached 1.4 times the rate of the fastest of these, which no training gets near.
SHAPES = ((2048, 2048, 2048), (4096, 1024, 4096), (3520, 768, 3072), (3520, 256, 1024))
REPEATS = 7


def shape_rate(shape: tuple[int, int, int], dtype: torch.dtype, repeats: int = REPEATS) -> float:
    """Floating-point operations per second of one linear layer without bias: the median of ``repeats``.

    ``shape``: rows, inputs, outputs; a product costs 2 x rows x inputs x outputs operations.
    """
    rows, inputs, outputs = shape
    x, weight = torch.ones(rows, inputs, dtype=dtype), torch.ones(outputs, inputs, dtype=dtype)
    seconds = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        F.linear(x, weight)
        seconds.append(time.perf_counter() - begin)
    return 2.0 * rows * inputs * outputs / statistics.median(seconds[1:])  # the first one allocates and compiles


@torch.inference_mode()
def peak_rate(dtype: torch.dtype, shapes: tuple[tuple[int, int, int], ...] = SHAPES, repeats: int = REPEATS) -> float:
    """The fastest of ``shapes``, in operations per second."""
    return max(shape_rate(shape, dtype, repeats) for shape in shapes)
