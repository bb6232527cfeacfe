"""Tensors of a foreign file that are read when they are wanted, one at a time.

The largest GPT-2 has 6.2 GB in fp32: a reader that loaded a whole file before converting it would need that twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psutil
import torch
from torch import Tensor

from ..errors import CheckpointError, Phrase
from ..schema import ModelConfig
from ..skeleton import count_parameters

#: Memory of an import over that of the weights in fp32: a tensor being converted, and the int8 copy.
NEEDED = 1.35


@dataclass(frozen=True)
class Stored:
    """A tensor that still lies in its file."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    read: Callable[[], Tensor]
    """Reads it, in its own dtype. Raises ``CheckpointError``."""


Tensors = Mapping[str, Stored]


def shape_text(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or "1"


class Taker:
    """Takes tensors out of a file one by one, says which is missing or of another shape, and what is left."""

    def __init__(self, tensors: Tensors, source: str) -> None:
        self._tensors, self.source = tensors, source
        self._left = set(tensors)

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def shape(self, name: str) -> tuple[int, ...]:
        """Raises ``CheckpointError`` where there is no such tensor."""
        return self._stored(name).shape

    def take(self, name: str, shape: tuple[int, ...], *, transpose: bool = False) -> Tensor:
        """The tensor in fp32, of this shape in the file; ``transpose`` swaps its two sides.

        Raises ``CheckpointError`` naming the tensor and the file.
        """
        stored = self._stored(name)
        if stored.shape != shape:
            raise self._wrong(name, Phrase("its shape is {found}, expected {wanted}",
                                           found=shape_text(stored.shape), wanted=shape_text(shape)))  # fmt: skip
        if not stored.dtype.is_floating_point:
            raise self._wrong(name, Phrase("it holds {dtype}, expected floating point", dtype=str(stored.dtype)))
        self._left.discard(name)
        tensor = stored.read().to(torch.float32)
        if not bool(torch.isfinite(tensor).all()):
            raise self._wrong(name, Phrase("it holds numbers that are infinite or not a number"))
        return (tensor.t() if transpose else tensor).contiguous()

    def skip(self, wanted: Callable[[str], bool]) -> None:
        """Leave aside the tensors of such names: buffers that are computed, not learnt."""
        self._left = {name for name in self._left if not wanted(name)}

    def done(self) -> None:
        """Raises ``CheckpointError`` where tensors are left that this architecture has no place for."""
        if self._left:
            names = sorted(self._left)
            raise CheckpointError(
                "{file}: it holds tensors that this architecture does not have: {names} ({count} in all)",
                file=self.source, names=", ".join(names[:3]), count=len(names),
            )  # fmt: skip

    def _stored(self, name: str) -> Stored:
        if name not in self._tensors:
            there = ", ".join(list(self._tensors)[:3])
            raise CheckpointError("{file}: the tensor '{name}' is missing (it begins with {there})",
                                  file=self.source, name=name, there=there)  # fmt: skip
        return self._tensors[name]

    def _wrong(self, name: str, what: Phrase) -> CheckpointError:
        return CheckpointError("{file}: tensor '{name}': {what}", file=self.source, name=name, what=what)


def require_memory(model: ModelConfig, rows: int, source: str) -> None:
    """Raises ``CheckpointError`` where a model cannot be held in fp32, with a part of it again in int8."""
    parameters = sum(count_parameters(model, rows).values())
    needed, free = 4 * NEEDED * parameters, psutil.virtual_memory().available
    if needed > free:
        raise CheckpointError(
            "{source}: {parameters} parameters take {needed:.1f} GB of memory to import, {free:.1f} GB are free",
            source=source, parameters=parameters, needed=needed / 1e9, free=free / 1e9,
        )  # fmt: skip


def elements(shape: tuple[int, ...]) -> int:
    return math.prod(shape)
