"""torch's threads: every thread of Python that computes gets a team of its own, and should give it back.

GNU's OpenMP, which torch brings along on Linux, counts the threads of all teams, the sleeping ones included. Where
they are more than the cores it no longer lets them wait for each other for long, and each of the hundreds of short
parallel loops of a step begins with waking a thread. On two cores a training beside an idle team takes 1.31 (teacher)
and 1.33 times as long, and one stream is answered with 310 instead of 1,400 tokens/s.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import torch

from .machine import usable_cores

_SOFT = 1  # omp_pause_soft of OpenMP 5.0, section 3.2.44: variables keep their values, threads need not stay


@contextlib.contextmanager
def borrowed_threads(count: int | None = None) -> Iterator[None]:
    """Compute in this thread with ``count`` threads of torch, as many as the process may use by itself, and give them
    back at the end: for a thread that lives on while others compute. Torch counts its threads per calling thread, so
    that this never reaches into a training."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or usable_cores())
    try:
        yield
    finally:
        torch.set_num_threads(before)
        release_threads()


def release_threads() -> None:
    """End the team of the calling thread, if it has one; the next parallel loop makes another, in less than 10 ms."""
    library = _openmp()
    if library is not None:
        library.omp_pause_resource_all(_SOFT)


@cache
def _openmp() -> ctypes.CDLL | None:
    """GNU's OpenMP as it came with torch and is loaded; None with any other, which does not count like that."""
    if sys.platform != "linux":
        return None
    package = Path(torch.__file__).parent
    for path in (*package.glob("lib/libgomp*.so*"), *package.parent.glob("torch.libs/libgomp*.so*")):
        with contextlib.suppress(OSError):
            library = ctypes.CDLL(str(path))
            if hasattr(library, "omp_pause_resource_all"):  # since GCC 9
                return library
    return None
