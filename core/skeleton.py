"""A model before it has numbers: to count them, to compare their shapes, to put saved ones in."""

from __future__ import annotations

import torch

from .columns import empty_matrix
from .model import GPT
from .schema import ModelConfig


def skeleton(config: ModelConfig, vocab_size: int) -> GPT:
    """The model of these settings with names and shapes, and no memory behind its parameters."""
    with torch.device("meta"):
        return GPT(config, vocab_size)


def unfilled_model(config: ModelConfig, vocab_size: int) -> GPT:
    """A model into which saved weights are to be put, for answering; its matrices lie as this processor likes them.

    Making it draws nothing from torch's global generator: a training in another thread may be using that for its
    dropout at this very moment, and would not be repeatable any more.
    """
    model = skeleton(config, vocab_size)
    # ``to_empty`` would do, and import sympy for it: 34 MB and 0.3 s.
    room = {name: empty_matrix(tensor.shape, tensor.dtype) for name, tensor in model.state_dict().items()}
    model.load_state_dict(room, assign=True)
    return model


def count_parameters(config: ModelConfig, vocab_size: int) -> dict[str, int]:
    """Numbers of parameters by part, without allocating them."""
    parts = {"embedding": 0, "position": 0, "attention": 0, "mlp": 0, "norm": 0, "head": 0}
    names = {"embed": "embedding", "position": "position", "head": "head", "norm": "norm"}
    for name, parameter in skeleton(config, vocab_size).named_parameters():
        pieces = name.split(".")
        inner = {"attn": "attention", "mlp": "mlp"}.get(pieces[2], "norm") if pieces[0] == "blocks" else ""
        parts[inner or names[pieces[0]]] += parameter.numel()
    return parts
