"""Which parameters a training changes: all, the top blocks, or LoRA's factors beside frozen matrices.

What is frozen has no gradient, no fp32 master copy and no memory of Adam's; it lies in the numbers that are computed
with. Below the lowest part that learns nothing is kept for the way back, and nothing is computed on it.
"""

from __future__ import annotations

from typing import Any

from .config import Config
from .events import Notice
from .lora import FACTORS, add_lora
from .model import GPT, Block


def limit_training(model: GPT, config: Config) -> None:
    """Freeze what ``training.trainable_blocks`` and ``lora`` leave out, and set gradient checkpointing.

    To be called on a model whose weights are fresh or will be loaded, before the optimizer is made. With the top N
    blocks the last norm learns, and an output layer of its own; one tied to the embedding is frozen with it.
    """
    blocks = learning_blocks(model, config)
    model.recompute = config.training.gradient_checkpointing
    if config.lora.rank is not None:
        model.requires_grad_(False)
        add_lora(blocks, config.lora, config.training.seed)
    elif config.training.trainable_blocks is not None:
        model.requires_grad_(False)
        for part in (*blocks, model.norm, model.head):
            if part is not None:
                part.requires_grad_(True)


def learning_blocks(model: GPT, config: Config) -> list[Block]:
    """The blocks that learn, from the bottom to the top."""
    blocks = [block for block in model.blocks if isinstance(block, Block)]
    wanted = config.training.trainable_blocks
    return blocks if wanted is None else blocks[-wanted:]


def count(model: GPT) -> tuple[int, int]:
    """Parameters of the model without LoRA's factors, and those that a training changes."""
    named = list(model.named_parameters())
    return (
        sum(p.numel() for name, p in named if not name.endswith(FACTORS)),
        sum(p.numel() for _, p in named if p.requires_grad),
    )


def tuning_notice(model: GPT, config: Config) -> Notice | None:
    """What learns, where that is not everything."""
    parameters, learning = count(model)
    values: dict[str, Any] = {
        "learning": f"{learning:,}", "all": f"{parameters:,}",
        "blocks": len(learning_blocks(model, config)), "layers": config.model.n_layer,
    }  # fmt: skip
    if config.lora.rank is not None:
        values |= {"rank": config.lora.rank, "targets": ", ".join(config.lora.targets)}
        return Notice(
            "LoRA of rank {rank} on {targets} in {blocks} of {layers} blocks: {learning} parameters learn, "
            "{all} are frozen",
            values,
        )
    if config.training.trainable_blocks is not None:
        return Notice("the top {blocks} of {layers} blocks learn: {learning} of {all} parameters", values)
    return None
