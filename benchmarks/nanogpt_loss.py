"""Not how fast but how well: the validation loss of ``char-shakespeare`` against nanoGPT's own network, initialization,
schedule and random crops, written anew, after equally many steps on the same text.

``python -m benchmarks.nanogpt_loss --data input.txt`` trains three times, three minutes in all; without ``--data`` on
the bundled prose, with ``--seed N`` from other numbers. nanoGPT reports 1.88 for tinyshakespeare.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.batches import evaluation_batches
from core.config import Config
from core.events import Event, Finished
from core.fit import fit
from core.prepare import Prepared

from . import common
from .nanogpt_loop import FusedGPT, crops


def own_loss(config: Config, where: Path, name: str) -> float:
    """Of a whole training, nats a character."""
    ends: list[Finished] = []

    def remember(event: Event) -> None:
        if isinstance(event, Finished):
            ends.append(event)

    fit(config, remember, run=name, runs_dir=str(where))
    loss = ends[-1].best_loss
    return math.nan if loss is None else loss


def draw(model: nn.Module, layers: int) -> None:
    """The matrices as nanoGPT draws them."""
    residual = 0.02 / math.sqrt(2 * layers)
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=residual if name.endswith(("out.weight", "down.weight")) else 0.02)


def other_rate(step: int, config: Config) -> float:
    """Its warm-up and cosine."""
    training, steps = config.training, config.training.max_steps or 0
    warm = round(training.warmup_ratio * steps)
    if step < warm:
        return training.lr * (step + 1) / (warm + 1)
    done = (step - warm) / max(1, steps - warm)
    return training.min_lr + 0.5 * (training.lr - training.min_lr) * (1.0 + math.cos(math.pi * done))


def other_loss(config: Config, prepared: Prepared) -> float:
    torch.manual_seed(config.training.seed)
    model = FusedGPT(config.model, prepared.tokenizer.vocab_size)
    draw(model, config.model.n_layer)
    decay = [{"params": [p], "weight_decay": 0.1 if p.ndim > 1 else 0.0} for p in model.parameters()]  # gains do not
    optimizer = torch.optim.AdamW(decay, lr=1.0, betas=(0.9, 0.99))
    text, length = torch.from_numpy(prepared.train.tokens).long(), config.model.seq_len
    for step in range(config.training.max_steps or 0):
        for group in optimizer.param_groups:
            group["lr"] = other_rate(step, config)
        inputs, targets = crops(text, config.training.batch_size, length)
        loss = cross_entropy(model(inputs), targets) / targets.numel()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return validation_loss(model, prepared)


@torch.no_grad()
def validation_loss(model: nn.Module, prepared: Prepared) -> float:
    """Of the same windows that the engine evaluates."""
    assert prepared.valid is not None
    total = count = 0.0
    for batch in evaluation_batches(prepared.valid, 64, prepared.tokenizer.pad):
        total += float(cross_entropy(model(batch.inputs), batch.targets))
        count += batch.supervised
    return total / count


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum", ignore_index=-100)


def main(arguments: list[str] | None = None) -> None:
    chosen = common.options(__doc__, steps=2000, add={"data": "prose/harbour.txt", "seed": "42"}, arguments=arguments)
    config = common.config_of("char-shakespeare", chosen, data={
        "train": chosen.given.data, "url": None, "sha256": None, "valid": None, "valid_fraction": 0.1}, training={
        "max_steps": chosen.steps, "seed": int(chosen.given.seed), "eval_interval": chosen.steps, "figures": False,
        "int8": False})  # fmt: skip
    as_there = config.update({"model.position": "learned"})
    with common.folder() as where:
        found = {
            "gpt-tui": own_loss(config, where, "own"),
            "gpt-tui, learned positions": own_loss(as_there, where, "as_there"),
            "nanoGPT's loop": other_loss(as_there, common.training_data(as_there, where)),
        }
    common.tell(f"validation loss after {chosen.steps} steps", found, "nats a character", chosen, less=True)


if __name__ == "__main__":
    main()
