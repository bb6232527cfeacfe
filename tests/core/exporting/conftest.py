"""Small runs of every shape, with weights of which none is what a fresh model would have."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from core import checkpoint
from core.config import Config
from core.model import GPT
from core.runs import LoadedModel, Run
from core.tokenizer import Tokenizer, train_bpe

MakeRun = Callable[..., tuple[Run, LoadedModel]]

TEXTS = ["用户:你好\n助手:水是由氢和氧组成的物质。", "猫吃鱼。\n", "hello world, it's 12:30\n"] * 4

#: Every kind of network that has an equivalent elsewhere, and what it is called there.
SHAPES: dict[str, dict[str, Any]] = {
    "ArceeForCausalLM": {"model.norm_eps": 1e-3},
    "ArceeForCausalLM gelu": {"model.mlp": "gelu", "model.bias": False, "model.qkv_bias": True},
    "ArceeForCausalLM relu": {"model.mlp": "relu", "model.n_kv_head": 1},
    "ArceeForCausalLM bare": {"model.bias": False, "model.mlp_hidden": 40, "model.tie_embeddings": False},
    "LlamaForCausalLM": {"model.mlp": "swiglu", "model.n_kv_head": 2, "model.bias": False, "model.rope_theta": 500.0},
    "LlamaForCausalLM biases": {"model.mlp": "swiglu", "model.qkv_bias": False, "model.tie_embeddings": False},
    "LlamaForCausalLM wide heads": {"model.mlp": "swiglu", "model.head_dim": 24, "model.n_kv_head": 2},
    "GPT2LMHeadModel": {"model.norm": "layernorm", "model.mlp": "gelu", "model.position": "learned"},
    "GPT2LMHeadModel bare": {
        "model.norm": "layernorm", "model.mlp": "gelu", "model.position": "learned", "model.bias": False,
        "model.tie_embeddings": False, "model.n_kv_head": 2, "model.norm_eps": 1e-2,
    },
    "GPT2LMHeadModel silu": {
        "model.norm": "layernorm", "model.mlp": "silu", "model.position": "learned", "model.qkv_bias": False,
    },
    "Starcoder2ForCausalLM": {"model.norm": "layernorm", "model.mlp": "gelu", "model.n_kv_head": 2},
    "Starcoder2ForCausalLM narrow heads": {"model.norm": "layernorm", "model.mlp": "gelu", "model.head_dim": 4},
    "Starcoder2ForCausalLM bare": {
        "model.norm": "layernorm", "model.mlp": "gelu", "model.bias": False, "model.qkv_bias": True,
        "model.mlp_hidden": 48, "model.tie_embeddings": False,
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def vocabulary() -> Tokenizer:
    return train_bpe(iter(TEXTS), 320)


@pytest.fixture
def make_run(tmp_path: Path, vocabulary: Tokenizer) -> MakeRun:
    """``make_run({"model.mlp": "swiglu"})``: a run with two checkpoints, and the newer of them loaded."""

    def make(
        settings: dict[str, Any] | None = None,
        name: str = "a",
        tokenizer: Tokenizer = vocabulary,
        report: dict[str, Any] | None = None,
    ) -> tuple[Run, LoadedModel]:
        run = write_run(tmp_path / "runs" / name, tokenizer, settings or {}, report)
        return run, run.load()

    return make


def write_run(folder: Path, tokenizer: Tokenizer, settings: dict[str, Any], report: dict[str, Any] | None) -> Run:
    base = {"model.n_layer": 2, "model.n_head": 4, "model.n_embd": 32, "model.seq_len": 64}
    sampling = {"sampling.stop": [], "sampling.trim_leading": False, "sampling.max_new_tokens": 16}
    config = Config().update({**base, **sampling, **settings})
    run = Run(folder)
    run.create(config)
    run.save_tokenizer(tokenizer)
    run.metrics.write_text('{"kind":"step"}\n', encoding="utf-8")
    state = {"step": 10, "config": config.to_dict()}
    for place, seed in (("step-00000010", 0), ("best", 1)):
        weights = random_weights(GPT(config.model, tokenizer.vocab_size), seed)
        checkpoint.save(run.checkpoints / place, state, tokenizer.to_json(), weights, {"memory": torch.zeros(99)})
    if report is not None:
        (run.path / "report.json").write_text(json.dumps(report), encoding="utf-8")
    return run


def random_weights(model: GPT, seed: int) -> dict[str, torch.Tensor]:
    """Gains that are not one and biases that are not zero, so that one left out or put elsewhere shows."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            gain = parameter.ndim == 1 and name.endswith("weight")
            parameter.normal_(1.0 if gain else 0.0, 0.3 if parameter.ndim == 1 else 0.15, generator=generator)
    return dict(model.state_dict())
