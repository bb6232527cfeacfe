"""Every recipe: its settings hold, its size is what it says, it starts at ln V, and its cache tells no lies."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from core.cache import Cache
from core.config import Config, load_config, recipe_names
from core.corpora.made import corpus_of
from core.model import GPT
from core.records import find_data
from core.skeleton import count_parameters

RECIPES = ["char-shakespeare", "pretrain-full", "pretrain-quick", "reader", "reader-100m", "teacher"]


def shrunk(config: Config, layers: int = 2) -> Config:
    """The same architecture with few layers; the width stays, on which the first loss depends."""
    return config.update({"model.n_layer": min(layers, config.model.n_layer)})


def small(config: Config) -> Config:
    """The same architecture, small in every direction."""
    hidden = None if config.model.mlp_hidden is None else 88
    return shrunk(config).update(
        {"model.n_embd": 48, "model.mlp_hidden": hidden, "model.seq_len": 24, "model.init": "random"}
    )  # fmt: skip


def test_the_recipes_are_those_that_scripts_rely_on() -> None:
    assert set(RECIPES) <= set(recipe_names())


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_names_itself_and_says_what_it_is_for(name: str) -> None:
    config = load_config(name)
    assert config.recipe == name
    assert len(config.description) > 30
    assert config.description.endswith(".")


@pytest.mark.parametrize("name", recipe_names())
def test_its_data_comes_with_the_program_or_it_says_from_where(name: str) -> None:
    data = load_config(name).data
    for file in (data.train, data.valid, data.valid_unseen):
        if file and not corpus_of(file) and not (data.url and data.sha256):
            assert find_data(file).is_file()


@pytest.mark.parametrize(
    ("name", "vocabulary", "changes", "parameters"),
    [
        ("reader", 1264, {}, 1_871_808),
        ("reader-100m", 1278, {}, 95_469_312),
        ("reader-100m", 1278, {"model.norm": "scalenorm"}, 95_453_205),  # 21 norms with 1 number, not 768
        ("pretrain-quick", 50257, {}, 6_540_800),
        ("pretrain-full", 50257, {"model.seq_len": 1024}, 124_439_808),
        ("teacher", 824, {"model.mlp": "silu"}, 3_368_192),
    ],
)
def test_parameter_counts(name: str, vocabulary: int, changes: dict[str, Any], parameters: int) -> None:
    config = load_config(name).update(changes)
    assert sum(count_parameters(config.model, vocabulary).values()) == parameters


def test_the_vocabulary_of_the_seeds_count_is_the_recipes_own() -> None:
    assert load_config("reader-100m").tokenizer.vocab_size == 1278


def test_char_shakespeare_is_nanogpts_recipe() -> None:
    config = load_config("char-shakespeare")
    model, training = config.model, config.training
    assert (model.seq_len, model.n_layer, model.n_head, model.n_embd, model.dropout) == (64, 4, 4, 128, 0.0)
    assert (model.norm, model.mlp, model.position, model.bias, model.tie_embeddings) == (
        "layernorm", "gelu", "rope", False, True,
    ), "but for its positions"  # fmt: skip
    assert (training.batch_size, training.max_steps, training.lr, training.min_lr) == (12, 2000, 1e-3, 1e-4)
    assert (training.beta2, training.warmup_ratio * 2000, training.weight_decay) == (0.99, 100, 0.1)
    assert config.tokenizer.kind == "char"


def fresh_loss(config: Config, vocabulary: int) -> float:
    """Of random tokens, given a fresh model: it cannot know more than that all are equally likely."""
    model = GPT(config.model, vocabulary).init_weights(config.training.seed).eval()
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(vocabulary, (4, min(48, config.model.seq_len) + 1), generator=generator)
    with torch.inference_mode():
        return float(model.loss_sum(tokens[:, :-1], tokens[:, 1:])) / tokens[:, 1:].numel()


@pytest.mark.parametrize("norm", [None, "scalenorm"])
@pytest.mark.parametrize("name", recipe_names())
def test_a_fresh_model_starts_at_ln_v(name: str, norm: str | None) -> None:
    config = shrunk(load_config(name)).update({} if norm is None else {"model.norm": norm})
    vocabulary = config.tokenizer.vocab_size
    assert abs(fresh_loss(config, vocabulary) - math.log(vocabulary)) < 0.3


@pytest.mark.slow
@pytest.mark.parametrize("name", recipe_names())
def test_a_fresh_model_of_full_size_starts_at_ln_v(name: str) -> None:
    config = load_config(name)
    vocabulary = config.tokenizer.vocab_size
    assert abs(fresh_loss(config, vocabulary) - math.log(vocabulary)) < 0.3


@pytest.mark.parametrize("norm", [None, "scalenorm"])
@pytest.mark.parametrize("name", recipe_names())
def test_one_token_at_a_time_is_the_same_as_all_at_once(name: str, norm: str | None) -> None:
    config = small(load_config(name)).update({} if norm is None else {"model.norm": norm})
    model = GPT(config.model, 97).init_weights(3).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # larger than fresh ones: a wrong position must show
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.2)
    tokens = torch.randint(97, (2, 20), generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        whole = model.logits(model(tokens))
        cache = Cache.empty(model, 2, 20)
        parts = [model.logits(model(piece, cache)) for piece in (tokens[:, :7], *tokens[:, 7:].split(1, dim=1))]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-4, rtol=1e-4)
