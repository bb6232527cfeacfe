"""One token of one stream, in as few operations as it takes.

For a single row the general forward pass spends two thirds of its time outside the matrix products: on modules,
views and small operations over batches of one. Here the same formulas stand as products of a matrix and a vector, whose
results lie in a few vectors that all layers share. For the teacher's 3.4 million parameters on two cores a token takes
0.48 ms instead of 1.2, of which 0.29 are the products: 14 MB of weights from beyond the cores' own caches.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import columns
from .cache import Cache
from .model import GPT, MLP, Attention, Block, RMSNorm, ScaleNorm, TokenEmbedding
from .quantize import Int8Embedding, Int8Linear, vector_product
from .schema import ModelConfig

Norm = Callable[[Tensor, Tensor], "tuple[Tensor, float]"]
"""A vector (width,), and room for another, to one of the same width and the factor that it is still to be multiplied
by: a product takes the factor along at no cost."""
Product = Callable[[Tensor, float, Tensor], Tensor]
"""A matrix and its bias applied to a vector times a factor; the result is written into the last one and returned."""


def norm_of(module: nn.Module) -> Norm:
    if isinstance(module, RMSNorm):
        weight, eps = module.weight, module.eps
        width = weight.numel()

        def rms(x: Tensor, out: Tensor) -> tuple[Tensor, float]:
            return torch.mul(x, weight, out=out), (torch.dot(x, x).item() / width + eps) ** -0.5

        return rms
    if isinstance(module, ScaleNorm):
        g, least = float(module.g), module.eps
        return lambda x, _: (x, g / (torch.dot(x, x).item() ** 0.5 + least))
    return lambda x, _: (module(x), 1.0)


def product_of(module: nn.Module) -> Product:
    quick = vector_product(module) if isinstance(module, Int8Linear) else None
    if quick is not None:
        return quick
    if not isinstance(module, nn.Linear):  # with LoRA, or int8 where there is no kernel for one row
        return lambda x, factor, out: out.copy_(module((x * factor)[None])[0])
    weight: Tensor = module.weight
    bias: Tensor | None = module.bias
    if columns.lies_by_columns(weight):
        sums = columns.vector_product(weight)
        if bias is None:
            return lambda x, factor, out: torch.mul(sums(x), factor, out=out)
        return lambda x, factor, out: torch.add(bias, sums(x), alpha=factor, out=out)
    if bias is None:
        return lambda x, factor, out: torch.addmv(out, weight, x, beta=0, alpha=factor, out=out)
    return lambda x, factor, out: torch.addmv(bias, weight, x, alpha=factor, out=out)


def _vocabulary_product(weight: Tensor) -> Callable[[Tensor], Tensor]:
    return columns.vector_product(weight) if columns.lies_by_columns(weight) else weight.mv


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "silu": lambda h: F.silu(h, inplace=True),
    "gelu": lambda h: F.gelu(h, approximate="tanh"),
    "relu": lambda h: F.relu(h, inplace=True),
}


class _Room:
    """Where the layers write, one after the other, and the same places in other shapes."""

    def __init__(self, c: ModelConfig) -> None:
        heads, gated = c.n_head + 2 * c.kv_heads, c.mlp == "swiglu"
        half = c.head_size // 2
        self.swap = torch.cat([torch.arange(half, c.head_size), torch.arange(half)])
        self.normal, self.moved = torch.empty(c.n_embd), torch.empty(c.n_embd)
        self.qkv = torch.empty(heads * c.head_size)
        self.rows = self.qkv.view(heads, c.head_size)
        self.turned = torch.empty(heads, c.head_size)
        self.queries = self.turned[: c.n_head].view(c.kv_heads, c.n_head // c.kv_heads, c.head_size)
        self.kept = self.turned[c.n_head :]
        """(2 x kv_heads, head_dim) keys, then values"""
        self.seen = torch.empty(self.queries.shape)
        self.seen_flat = self.seen.view(-1)
        self.up = torch.empty(c.hidden * (2 if gated else 1))
        self.gate = self.up[: c.hidden]
        self.inner = self.up[c.hidden :] if gated else None


class _Layer:
    """A block."""

    def __init__(self, block: Block, room: _Room) -> None:
        attn, mlp = block.attn, block.mlp
        assert isinstance(attn, Attention)
        assert isinstance(mlp, MLP)
        self.room = room
        self.norm1, self.norm2 = norm_of(block.norm1), norm_of(block.norm2)
        self.qkv, self.proj = product_of(attn.qkv), product_of(attn.proj)
        self.up, self.down = product_of(mlp.up), product_of(mlp.down)
        self.activation = ACTIVATIONS["silu" if mlp.kind == "swiglu" else mlp.kind]

    def step(self, x: Tensor, cos: Tensor, sin: Tensor, place: Tensor, keys: Tensor, values: Tensor) -> None:
        """Change ``x`` (width,). ``cos`` and ``sin`` as ``Decoder._turn`` has them; ``place`` (2 x kv_heads, head_dim)
        is where this token's keys and values go, the last of ``keys`` (kv_heads, head_dim, tokens) and ``values``
        (kv_heads, tokens, head_dim)."""
        room = self.room
        self.qkv(*self.norm1(x, room.normal), room.qkv)
        torch.mul(room.rows, cos, out=room.turned)
        room.turned.addcmul_(room.rows.index_select(1, room.swap), sin)
        place.copy_(room.kept)
        scores = torch.bmm(room.queries, keys)
        torch.bmm(scores.softmax(-1), values, out=room.seen)
        x.add_(self.proj(room.seen_flat, 1.0, room.moved))
        self.up(*self.norm2(x, room.normal), room.up)
        h = self.activation(room.gate)
        if room.inner is not None:
            h = h.mul_(room.inner)
        x.add_(self.down(h, 1.0, room.moved))


class Decoder:
    """Goes on where a cache of one row stands, token by token. For use inside ``torch.inference_mode``."""

    def __init__(self, model: GPT, cache: Cache) -> None:
        """``cache`` is copied, its capacity the longest stream."""
        c = model.config
        self._model, self.length = model, cache.length
        self._room = _Room(c)
        self._norm = norm_of(model.norm)
        self._layers = [_Layer(block, self._room) for block in model.blocks]  # type: ignore[arg-type]
        output = model.embed if model.head is None else model.head
        self._output = _vocabulary_product(output.weight) if isinstance(output, (TokenEmbedding, nn.Linear)) else None
        # All layers in one tensor: what they read and write of it is cut out once for a token, not once for a layer.
        self._memory = torch.cat([cache.keys[:, 0], cache.values[:, 0]], dim=1)
        self._keys = self._memory[:, : c.kv_heads].transpose(2, 3)
        self._values = self._memory[:, c.kv_heads :]
        # Queries are scaled and turned, keys turned, values neither: one product each for all of them.
        self._factors = torch.tensor([c.head_size**-0.5] * c.n_head + [1.0] * c.kv_heads + [0.0] * c.kv_heads)[:, None]
        self._still = torch.zeros(2, len(self._factors), c.head_size)
        self._still[0] = self._factors
        self._still[0, -c.kv_heads :] = 1.0

    @staticmethod
    def fits(model: GPT, cache: Cache) -> bool:
        """One row without padding, on a CPU, computed in fp32 (its matrices may be int8)."""
        keys = cache.keys
        return (
            keys.shape[1] == 1 and cache.hidden_keys is None and keys.dtype == torch.float32 and not model.training
            and keys.device.type == "cpu"
        )  # fmt: skip

    def _turn(self, at: int) -> Tensor:
        """(2, heads + 2 x kv_heads, head_dim): what queries, keys and values are multiplied with, and what they are
        multiplied with when their halves have changed places."""
        rope = self._model.rope
        if rope is None:
            return self._still
        turn = rope[:, at, None] * self._factors
        turn[0, -self._model.config.kv_heads :] = 1.0
        return turn

    def logits(self, token: int) -> Tensor:
        """(vocabulary,) for what follows ``token``, which is taken into the stream."""
        model, at = self._model, self.length
        embed = model.embed
        assert isinstance(embed, (TokenEmbedding, Int8Embedding))
        x = embed.vector(token)
        if model.position is not None:
            x = x.add_(model.position.weight[at])
        cos, sin = self._turn(at)
        places = self._memory[:, :, at].unbind()
        keys, values = self._keys[..., : at + 1].unbind(), self._values[:, :, : at + 1].unbind()
        for layer, place, key, value in zip(self._layers, places, keys, values, strict=True):
            layer.step(x, cos, sin, place, key, value)
        self.length += 1
        hidden, factor = self._norm(x, self._room.normal)
        if self._output is not None:
            return self._output(hidden).mul_(factor)
        return model.logits((hidden * factor)[None])[0]
