"""One GPT. What differs between GPTs – norm, feed-forward, positions, heads, biases, tying – is a choice in
``ModelConfig``, not another model.

Shapes: ``batch`` rows of ``time`` tokens, width ``n_embd``, ``heads`` of ``head_dim`` numbers each.
"""

from __future__ import annotations

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .cache import Cache
from .induction import start_with_induction
from .kernels import dropout, rms_norm, rotate
from .places import Places
from .schema import ModelConfig

#: Up to this many tokens plain matrix products beat the fused attention kernel, whose backward is slow for
#: short rows on a CPU (32 x 4 heads x 110 x 64: 5.3 against 20.4 ms in bf16, 10.0 against 13.0 in fp32; at
#: 256 tokens 33 against 45 in bf16, but 70 against 47 in fp32).
PLAIN_ATTENTION_UP_TO = {torch.bfloat16: 384, torch.float32: 160}
#: Numbers of all masks that are kept, one for each length of rows: 16 MB in fp32. Widths of whole 16s up to 512 are 3
#: million.
MOST_MASKS = 4_000_000


class Table(nn.Embedding):
    """One vector for each number. Made without values: ``init_weights`` draws them. Torch would draw its own through
    what imports its compiler, 74 MB and 1 s, where the model has no memory (``skeleton.py``)."""

    def reset_parameters(self) -> None:
        pass


class TokenEmbedding(Table):
    """Ids to vectors and, where the output layer is tied to it, vectors to logits."""

    def vector(self, token: int) -> Tensor:
        """(width,) of one token, a copy."""
        return self.weight[token].clone()

    def project(self, hidden: Tensor) -> Tensor:
        """(…, width) to (…, vocabulary)."""
        return F.linear(hidden, self.weight)


class RMSNorm(nn.Module):
    """x / rms(x) * weight, the rms taken over the width (Zhang & Sennrich 2019): an output of rms 1."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.weight, self.eps)


class ScaleNorm(nn.Module):
    """g * x / |x|, one learnt length g for all (Nguyen & Salazar 2019), which starts at sqrt(width): rms 1."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.g = nn.Parameter(torch.tensor([math.sqrt(width)]))

    def forward(self, x: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        out: Tensor = x * (self.g / (length + self.eps)).to(x.dtype)
        return out


def make_norm(config: ModelConfig) -> nn.Module:
    if config.norm == "layernorm":
        return nn.LayerNorm(config.n_embd, eps=config.norm_eps, bias=config.bias)
    kind = RMSNorm if config.norm == "rmsnorm" else ScaleNorm
    return kind(config.n_embd, config.norm_eps)


class MLP(nn.Module):
    """The feed-forward part: up, activation, down. SwiGLU (Shazeer 2020) has a gate beside 'up'; both lie in
    one matrix, gate first, because one large product is faster than two."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.kind = config.mlp
        self.up = nn.Linear(config.n_embd, config.hidden * (2 if self.kind == "swiglu" else 1), bias=config.bias)
        self.down = nn.Linear(config.hidden, config.n_embd, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        h = self.up(x)
        if self.kind == "swiglu":
            gate, h = h.chunk(2, dim=-1)
            h = F.silu(gate) * h
        elif self.kind == "silu":
            h = F.silu(h)
        elif self.kind == "gelu":
            h = F.gelu(h, approximate="tanh")  # GPT-2's form
        else:
            h = F.relu(h)
        down: Tensor = self.down(h)
        return down


def rope_table(length: int, head_dim: int, theta: float) -> Tensor:
    """Cosines and sines of RoPE (Su et al. 2021), (2, length, head_dim): the angle of pair i at position t is
    ``t * theta ** (-2i / head_dim)``. Pairs are (i, i + head_dim/2), as in the published Llama weights; the
    sine carries the minus sign of the first half, so that rotating is two products and a sum."""
    with torch.device("cpu"):  # numbers even for a model without: computed, not loaded
        rate = theta ** (-torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)
        angle = torch.outer(torch.arange(length, dtype=torch.float32), rate)
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1)])


class Attention(nn.Module):
    """Causal self-attention (Vaswani et al. 2017), heads sharing keys and values if so configured (Ainslie et
    al. 2023). Query, key and value come from one matrix, in this order."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.config, self.layer = config, layer
        bias = config.bias if config.qkv_bias is None else config.qkv_bias
        self.qkv = nn.Linear(config.n_embd, (config.n_head + 2 * config.kv_heads) * config.head_size, bias=bias)
        self.proj = nn.Linear(config.attention_width, config.n_embd, bias=config.bias)

    def forward(
        self, x: Tensor, rope: Tensor | None, mask: Tensor | None, cache: Cache | None, places: Places | None = None
    ) -> Tensor:
        c = self.config
        batch, time, _ = x.shape
        qkv = self.qkv(x).view(batch, time, -1, c.head_size)
        qk, v = qkv.split([c.n_head + c.kv_heads, c.kv_heads], dim=2)
        if rope is not None:
            qk = rotate(qk, rope)
        q, k = qk.transpose(1, 2).split([c.n_head, c.kv_heads], dim=1)  # (batch, heads, time, head_dim)
        v = v.transpose(1, 2)
        if cache is not None:
            begin, end, keys = cache.length, cache.length + time, cache.visible(time)
            cache.keys[self.layer, :, :, begin:end] = k
            cache.values[self.layer, :, :, begin:end] = v
            k, v = cache.keys[self.layer, :, :, :keys], cache.values[self.layer, :, :, :keys]
        if c.kv_heads < c.n_head:
            k = k.repeat_interleave(c.n_head // c.kv_heads, dim=1)
            v = v.repeat_interleave(c.n_head // c.kv_heads, dim=1)
        out = attend(q, k, v, mask, c.dropout if self.training else 0.0)
        out = out.transpose(1, 2).reshape(batch, time, -1)
        proj: Tensor = self.proj(out if places is None else places.of(out))
        return proj


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, drop: float) -> Tensor:
    """softmax(q k^T / sqrt(head_dim) + mask) v, by plain products or torch's fused kernel: what is faster."""
    if k.shape[-2] > PLAIN_ATTENTION_UP_TO.get(q.dtype, 0):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=drop)
    scores: Tensor = (q * (q.shape[-1] ** -0.5)) @ k.transpose(-2, -1)
    if mask is not None:
        scores += mask
    weights = scores.softmax(dim=-1)
    if drop:
        weights = dropout(weights, drop)
    return weights @ v


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)); only at ``places``, (places, width), if not all are wanted."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.norm1 = make_norm(config)
        self.attn = Attention(config, layer)
        self.norm2 = make_norm(config)
        self.mlp = MLP(config)
        self.dropout = config.dropout

    def forward(
        self, x: Tensor, rope: Tensor | None, mask: Tensor | None, cache: Cache | None, places: Places | None = None
    ) -> Tensor:
        seen = self.attn(self.norm1(x), rope, mask, cache, places)
        x = (x if places is None else places.of(x)) + self._drop(seen)
        return x + self._drop(self.mlp(self.norm2(x)))

    def _drop(self, x: Tensor) -> Tensor:
        return dropout(x, self.dropout) if self.training and self.dropout else x


def _computed_twice(
    block: nn.Module, x: Tensor, rope: Tensor | None, mask: Tensor | None, cache: Cache | None, places: Places | None
) -> Tensor:
    """The output of a block of which only the input is kept; the way back computes the rest again, with the same
    random numbers."""
    out: Tensor = checkpoint(block, x, rope, mask, cache, places, use_reentrant=False)
    return out


class GPT(nn.Module):
    """A decoder-only transformer."""

    rope: Tensor | None

    def __init__(self, config: ModelConfig, vocab_size: int) -> None:
        super().__init__()
        self.config, self.vocab_size = config, vocab_size
        self.recompute = False
        """Gradient checkpointing (Chen et al. 2016): less memory, the blocks computed twice."""
        self.embed: nn.Module = TokenEmbedding(vocab_size, config.n_embd)
        self.position = Table(config.seq_len, config.n_embd) if config.position == "learned" else None
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layer))
        self.norm = make_norm(config)
        self.head = None if config.tie_embeddings else nn.Linear(config.n_embd, vocab_size, bias=False)
        table = rope_table(config.seq_len, config.head_size, config.rope_theta) if config.position == "rope" else None
        self.register_buffer("rope", table, persistent=False)
        self._masks: dict[tuple[int, torch.dtype, torch.device], Tensor] = {}

    @torch.no_grad()
    def init_weights(self, seed: int) -> GPT:
        """Fresh weights for which every next token is about equally likely: the loss starts at ln V.

        Normal(0, 0.02), the layers that write into the residual stream smaller by sqrt(2 n_layer) (GPT-2).
        A tied embedding is smaller still: with 0.02 at width 768 a token's own logit would be 768 * 0.02 = 15,
        and the fresh model would only echo its input. 2 / width makes that logit 2.
        """
        generator = torch.Generator().manual_seed(seed)
        residual = 0.02 / math.sqrt(2 * self.config.n_layer)
        embedding = min(0.02, 2 / self.config.n_embd) if self.config.tie_embeddings else 0.02
        for name, parameter in self.named_parameters():
            if name.startswith(("embed.", "position.")):
                std = embedding
            elif parameter.ndim < 2:
                if name.endswith("bias"):
                    parameter.zero_()
                continue  # gains keep their ones
            else:
                std = residual if name.endswith(("attn.proj.weight", "mlp.down.weight")) else 0.02
            parameter.normal_(0.0, std, generator=generator)
        if self.config.init == "induction":
            start_with_induction(self, generator)
        return self

    def forward(
        self,
        tokens: Tensor,
        cache: Cache | None = None,
        positions: Tensor | None = None,
        hidden: Tensor | None = None,
        places: Places | None = None,
    ) -> Tensor:
        """Hidden states (batch, time, width) after the last norm for ``tokens`` (batch, time).

        With a ``cache`` the tokens continue what it holds. ``positions`` (batch, time) says where each token
        stands where rows are padded on the left or have branches; otherwise they count on from the cache.
        ``hidden`` (batch, 1, time, time) is True where one may not see an earlier one. Of ``places`` alone the
        states are (places, width).
        """
        start = cache.length if cache is not None else 0
        time = tokens.shape[1]
        x = self.embed(tokens)
        if self.position is not None:
            x = x + (self.position(positions) if positions is not None else self.position.weight[start : start + time])
        if self.training and self.config.dropout:
            x = dropout(x, self.config.dropout)
        rope = None
        if self.rope is not None:
            table = self.rope.to(x.dtype)
            rope = (table[:, positions] if positions is not None else table[:, start : start + time]).unsqueeze(-2)
        mask = self._mask(start, time, x, cache)
        if hidden is not None and mask is not None:
            mask = mask.masked_fill(hidden, float("-inf"))
        twice = self.recompute and self.training and torch.is_grad_enabled()
        for block in self.blocks:
            of_block = places if block is self.blocks[-1] else None
            run = partial(_computed_twice, block) if twice else block
            x = run(x, rope, mask, cache, of_block)
        if cache is not None:
            cache.length += time
        states: Tensor = self.norm(x)
        return states

    def logits(self, hidden: Tensor) -> Tensor:
        """(…, width) to (…, vocabulary)."""
        out: Tensor = self.embed.project(hidden) if self.head is None else self.head(hidden)  # type: ignore[operator]
        return out

    def next_logits(self, tokens: Tensor, cache: Cache, positions: Tensor | None = None) -> Tensor:
        """(batch, vocabulary) of what follows the last of ``tokens`` (batch, time)."""
        batch, time = tokens.shape
        places = Places.last(batch, time, tokens.device) if time > 1 else None
        return self.logits(self(tokens, cache, positions, places=places)).view(batch, -1)

    def loss_sum(
        self, inputs: Tensor, targets: Tensor, positions: Tensor | None = None, hidden: Tensor | None = None
    ) -> Tensor:
        """Sum, not mean, of the cross-entropy in nats over the places whose target is not negative.

        From the last block's attention on only these are computed: in the teacher corpus two of five places are
        given. ``positions`` and ``hidden`` as in ``forward``.
        """
        places = Places.that_are(targets >= 0)
        logits = self.logits(self(inputs, None, positions, hidden, places)).float()
        return F.cross_entropy(logits, places.of(targets), reduction="sum", ignore_index=-100)

    def _mask(self, start: int, time: int, x: Tensor, cache: Cache | None) -> Tensor | None:
        """What is added to the scores: 0 where a token may look, -inf where it may not; None: everywhere."""
        hidden = cache.hidden_keys if cache is not None else None
        keys = time if cache is None else cache.visible(time)
        everywhere = time == 1 and keys == start + 1
        mask = None if everywhere else self._causal(keys, x.dtype, x.device)[start : start + time]
        if hidden is None:
            return mask
        padding = torch.zeros(hidden.shape[0], 1, 1, keys, dtype=x.dtype, device=x.device)
        padding.masked_fill_(hidden[:, None, None, :keys], torch.finfo(x.dtype).min)
        return padding if mask is None else torch.clamp_min(padding + mask, torch.finfo(x.dtype).min)

    def _causal(self, keys: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        square = self._masks.get((keys, dtype, device))
        if square is None:
            # Kept for training too, so not a tensor of inference mode even where an evaluation is the first to ask.
            with torch.inference_mode(False):
                square = torch.full((keys, keys), float("-inf"), dtype=dtype, device=device).triu_(1)
            if square.numel() + sum(kept.numel() for kept in self._masks.values()) > MOST_MASKS:
                self._masks.clear()  # rather than let them grow: a server sees prompts of every length
            self._masks[keys, dtype, device] = square
        return square
