"""Models whose answers are known beforehand, and tokenizers that cut text finely or coarsely."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from core.config import Config
from core.model import GPT
from core.runs import LoadedModel
from core.schema import ModelConfig
from core.tokenizer import Tokenizer, train_bpe

Script = list[dict[int, float]]

#: Repeated, so that whole words become single tokens.
TEXTS = [
    "用户:你好\n助手:水是由氢和氧组成的物质。",
    "猫吃鱼。\n",
    "hello world\nhello world\n",
    "用户:鲸是什么？\n助手:",
] * 4


@pytest.fixture(scope="session")
def words() -> Tokenizer:
    """Whole words and phrases are tokens."""
    return train_bpe(iter(TEXTS), 340)


@pytest.fixture(scope="session")
def single() -> Tokenizer:
    """Every byte is a token: the vocabulary holds nothing else (and one merge that no text here uses)."""
    return train_bpe(iter(["\x00\x01 \x00\x01"]), 260)


@pytest.fixture
def make_model() -> Callable[..., GPT]:
    """A function that makes a model with large random weights, so that its answers are long and varied."""

    def make(vocab_size: int, seed: int = 0, **settings: Any) -> GPT:
        base = {"n_layer": 2, "n_head": 4, "n_embd": 32, "seq_len": 48}
        model = GPT(ModelConfig(**{**base, **settings}), vocab_size).init_weights(seed).eval()
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter.normal_(0.0, 0.3, generator=generator)
        return model

    return make


def reciter(vocab_size: int, script: Script, seq_len: int = 64) -> GPT:
    """A real model that knows nothing but its position: after token i it has the logits ``script[i]``,
    0 for tokens not named there. Behind the script's end all logits are 0."""
    settings = ModelConfig(
        n_layer=1, n_head=1, n_embd=max(64, seq_len), seq_len=seq_len, position="learned", bias=False,
        tie_embeddings=False, norm="rmsnorm",
    )  # fmt: skip
    model = GPT(settings, vocab_size).eval()
    assert model.position is not None
    assert model.head is not None
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.zero_()
        model.position.weight.copy_(torch.eye(seq_len, settings.n_embd))
        for place, logits in enumerate(script):
            for token, value in logits.items():
                model.head.weight[token, place] = value / settings.n_embd**0.5  # one-hot, normed: sqrt(width)
    return model


@pytest.fixture
def recite() -> Callable[..., GPT]:
    """``recite(tokenizer, tokens)``: a model that surely says these tokens and then ends, when asked after one
    token. Instead of a token a mapping of tokens to logits may stand."""

    def make(tokenizer: Tokenizer, tokens: list[Any], seq_len: int = 64) -> GPT:
        script = [item if isinstance(item, dict) else {item: 30.0} for item in [*tokens, tokenizer.eos]]
        return reciter(tokenizer.vocab_size, script, seq_len)

    return make


@pytest.fixture
def loaded() -> Callable[..., LoadedModel]:
    """A function that wraps a model as if it had been read from a run."""

    def wrap(model: GPT, tokenizer: Tokenizer, **sampling: Any) -> LoadedModel:
        config = Config().update({f"sampling.{key}": value for key, value in sampling.items()})
        config = config.update({f"model.{key}": value for key, value in model.config.model_dump().items()})
        return LoadedModel(model, tokenizer, config, 0, Path("nowhere"), 0)

    return wrap
