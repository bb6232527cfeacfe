"""Against a plain loop as a beginner's program has it: fp32, every row padded to 128 tokens, four small matrices
for an attention whose mask is added by hand, logits for every place, rows in micro-batches whose gradients add up.

``python -m benchmarks.seed_loop --recipe teacher`` (or reader, or reader-100m) prints real tokens a second of both,
those that rows share counted for each. ``--data FILE`` trains on other rows; ``--together 1`` computes each row by
itself here too; ``--rows 8`` makes a step of both sides one of the same so many rows. Both sides take AdamW;
``--optimizer muon`` is what the first two recipes have.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.config import Config
from core.prepare import Prepared
from core.schema import ModelConfig

from . import common

PAD_TO = 128
#: Rows in one micro-batch and micro-batches in one step.
ACCUMULATION = {"teacher": (4, 4), "reader": (4, 8), "reader-100m": (1, 8)}


class PlainNorm(nn.Module):
    """Root mean square, written as the formula reads."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


class PlainBlock(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads, self.gated = config.n_head, config.mlp == "swiglu"
        width, hidden, bias = config.n_embd, config.hidden, config.bias
        self.norm1, self.norm2 = PlainNorm(width), PlainNorm(width)
        self.q, self.k, self.v, self.out = (nn.Linear(width, width, bias=bias) for _ in range(4))
        self.up, self.down = nn.Linear(width, hidden, bias=bias), nn.Linear(hidden, width, bias=bias)
        self.gate = nn.Linear(width, hidden, bias=bias) if self.gated else None

    def forward(self, x: Tensor) -> Tensor:
        batch, time, width = x.shape
        y = self.norm1(x)
        q, k, v = (part(y).view(batch, time, self.heads, -1).transpose(1, 2) for part in (self.q, self.k, self.v))
        q, k = turned(q), turned(k)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        mask = torch.tril(torch.ones(time, time, dtype=torch.bool))
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        x = x + self.out((weights @ v).transpose(1, 2).reshape(batch, time, width))
        y = self.norm2(x)
        inner = F.silu(self.up(y)) if self.gate is None else F.silu(self.gate(y)) * self.up(y)
        out: Tensor = x + self.down(inner)
        return out


def turned(x: Tensor) -> Tensor:
    """Rotary positions, angles computed whenever they are needed. ``x`` (batch, heads, time, head_dim)."""
    time, half = x.shape[-2], x.shape[-1] // 2
    rate = 10000.0 ** (-torch.arange(half) / half)
    angle = torch.arange(time)[:, None] * rate
    cos, sin = angle.cos(), angle.sin()
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


class PlainGPT(nn.Module):
    """(batch, time) ids to (batch, time, vocabulary) logits."""

    def __init__(self, config: ModelConfig, vocab_size: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab_size, config.n_embd)
        nn.init.normal_(self.embed.weight, std=0.02)
        self.blocks = nn.ModuleList(PlainBlock(config) for _ in range(config.n_layer))
        self.norm = PlainNorm(config.n_embd)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.embed.weight)


def plain_step(config: Config, prepared: Prepared, steps: Iterator[common.Rows] | None = None) -> common.Step:
    """A step of ``ACCUMULATION``, on the rows of ``steps`` where these are given."""
    model = PlainGPT(config.model, prepared.tokenizer.vocab_size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=0.1)
    micro, times = ACCUMULATION.get(config.recipe, (4, 4))
    steps = steps or common.random_batches(prepared, micro * times)

    def step() -> int:
        tokens = 0
        rows = next(steps)
        parts = [rows[begin : begin + micro] for begin in range(0, len(rows), micro)]
        for part in parts:
            inputs, targets, real = common.padded(prepared, part, PAD_TO)
            logits = model(inputs)
            loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100)
            (loss / len(parts)).backward()
            tokens += real
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return tokens

    return step


def main(arguments: list[str] | None = None) -> None:
    chosen = common.options(
        __doc__, rounds=3, steps=4, arguments=arguments,
        add={"recipe": "teacher", "optimizer": "adamw", "data": "", "together": "", "rows": ""},
    )  # fmt: skip
    config = common.training_of(chosen)
    if chosen.given.data:
        config = config.update({"data.train": chosen.given.data, "data.valid": None, "data.duplicates": "keep"})
    with common.folder() as where:
        prepared = common.training_data(config, where)
        mine = theirs = None
        if chosen.given.rows:
            given = prepared, config.data.questions_together, int(chosen.given.rows)
            mine = (joined for joined, _ in common.full_rows(*given))
            theirs = (single for _, single in common.full_rows(*given))
        own = common.own_step(config, prepared, where, mine)
        plain = plain_step(*common.alone(config, prepared, where), theirs)
        sides = {"gpt-tui": common.rate_of(own, chosen.steps), "plain loop": common.rate_of(plain, chosen.steps)}
        found = common.take_turns(sides, chosen.rounds)
        common.tell(f"training, {config.recipe}", found, "real tokens/s", chosen)


if __name__ == "__main__":
    main()
