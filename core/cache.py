"""Keys and values of tokens seen so far, so that each new token costs one row and not all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from .model import GPT


@dataclass
class Cache:
    """Of all layers; every row holds equally many tokens."""

    keys: Tensor
    """(layers, batch, kv_heads, capacity, head_dim)"""
    values: Tensor
    hidden_keys: Tensor | None = None
    """(batch, capacity) True where a key is padding; None: nowhere."""
    length: int = 0

    def visible(self, time: int) -> int:
        """Keys that the next ``time`` tokens are multiplied with. In bf16 rounded up to whole 32s, the rest masked:
        torch compiles and keeps a kernel per shape, and every new token would be another one."""
        keys = self.length + time
        if self.keys.dtype == torch.bfloat16:
            keys = min(self.keys.shape[3], -(-keys // 32) * 32)
        return keys

    @classmethod
    def empty(cls, model: GPT, batch: int, capacity: int) -> Cache:
        c = model.config
        like = next(model.norm.parameters())  # a float also where the matrices are int8
        shape = (c.n_layer, batch, c.kv_heads, capacity, c.head_size)
        return cls(like.new_zeros(shape), like.new_zeros(shape))

    def keep(self, rows: Tensor, capacity: int) -> None:
        """Go on with some of the rows (their numbers) and room for ``capacity`` tokens."""
        # One after the other: both at once would be another third of the memory that answering takes.
        self.keys = self._of_rows(self.keys, rows, capacity)
        self.values = self._of_rows(self.values, rows, capacity)
        if self.hidden_keys is not None:
            self.hidden_keys = self.hidden_keys.index_select(0, rows)

    def _of_rows(self, old: Tensor, rows: Tensor, capacity: int) -> Tensor:
        layers, _, heads, _, width = old.shape
        new = old.new_zeros(layers, len(rows), heads, capacity, width)
        for layer in range(layers):
            new[layer, :, :, : self.length] = old[layer, :, :, : self.length].index_select(0, rows)
        return new
