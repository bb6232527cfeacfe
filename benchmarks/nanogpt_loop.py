"""Against the shape of nanoGPT's training loop: random crops of one long text, LayerNorm and GELU, learned positions,
torch's fused attention and fused AdamW, fp32, logits for every place – its own advice for a CPU (64 characters,
12 rows, 4 layers of width 128).

``python -m benchmarks.nanogpt_loop`` prints characters a second of both on the bundled prose.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.config import Config
from core.prepare import Prepared
from core.schema import ModelConfig

from . import common


class FusedBlock(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.n_embd
        self.heads = config.n_head
        self.norm1, self.norm2 = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        shape = (*x.shape[:2], self.heads, x.shape[2] // self.heads)
        q, k, v = (part.view(shape).transpose(1, 2) for part in self.qkv(self.norm1(x)).split(x.shape[2], dim=2))
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(x.shape))
        out: Tensor = x + self.down(F.gelu(self.up(self.norm2(x))))
        return out


class FusedGPT(nn.Module):
    """(batch, time) ids to (batch, time, vocabulary) logits."""

    def __init__(self, config: ModelConfig, vocab_size: int) -> None:
        super().__init__()
        self.embed, self.position = nn.Embedding(vocab_size, config.n_embd), nn.Embedding(config.seq_len, config.n_embd)
        for table in (self.embed, self.position):
            nn.init.normal_(table.weight, std=0.02)
        self.blocks = nn.Sequential(*(FusedBlock(config) for _ in range(config.n_layer)))
        self.norm = nn.LayerNorm(config.n_embd, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens) + self.position.weight[: tokens.shape[1]]
        return F.linear(self.norm(self.blocks(x)), self.embed.weight)


def crops(text: Tensor, rows: int, length: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets (rows, length), each row from anywhere in ``text`` (tokens,)."""
    begins = torch.randint(len(text) - length - 1, (rows,))
    windows = torch.stack([text[i : i + length + 1] for i in begins])
    return windows[:, :-1], windows[:, 1:]


def crops_step(config: Config, prepared: Prepared) -> common.Step:
    model = FusedGPT(config.model, prepared.tokenizer.vocab_size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1, fused=True)
    text = torch.from_numpy(prepared.train.tokens).long()
    length, rows = min(config.model.seq_len, len(text) - 2), config.training.batch_size

    def step() -> int:
        inputs, targets = crops(text, rows, length)
        loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return inputs.numel()

    return step


def main(arguments: list[str] | None = None) -> None:
    chosen = common.options(__doc__, rounds=5, steps=40, arguments=arguments)
    prose = {"train": "prose/harbour.txt", "url": None, "sha256": None, "valid": None}
    config = common.config_of("char-shakespeare", chosen, data=prose, model={"position": "learned"})
    with common.folder() as where:
        prepared = common.training_data(config, where)
        own, other = common.own_step(config, prepared, where), crops_step(config, prepared)
        sides = {"gpt-tui": common.rate_of(own, chosen.steps), "nanoGPT's loop": common.rate_of(other, chosen.steps)}
        found = common.take_turns(sides, chosen.rounds)
        common.tell("training, char-shakespeare's shape", found, "characters/s", chosen)


if __name__ == "__main__":
    main()
