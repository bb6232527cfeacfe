"""LoRA: nothing changes before the first step, only factors learn, the sum is saved, and a resume is exact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from core import checkpoint, lora
from core.config import Config
from core.control import Control
from core.errors import ConfigError
from core.events import Eval, Notice, Saved
from core.lora import LoraLinear, add_lora
from core.model import GPT
from core.runs import load_model
from core.schema import LORA_TARGETS, LoraConfig, ModelConfig
from core.training.saving import state_of
from core.tuning import limit_training

if TYPE_CHECKING:
    from .conftest import Lab

ALL = list(LORA_TARGETS)
LORA: dict[str, Any] = {"lora.rank": 3, "lora.alpha": 12.0, "lora.targets": ALL, "training.eval_interval": 3}


def layer(config: LoraConfig, rank: int = 2) -> LoraLinear:
    torch.manual_seed(1)
    found = LoraLinear(nn.Linear(6, 4), config, rank, torch.Generator().manual_seed(0))
    nn.init.normal_(found.lora_b)
    return found


def newest(lab: Lab, name: str = "run") -> tuple[dict[str, Any], dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    return checkpoint.load(checkpoint.newest(lab.run(name).checkpoints)[0], optimizer=True)


def test_the_formula() -> None:
    config = LoraConfig(rank=2, alpha=6.0)
    found, x = layer(config), torch.randn(5, 6, generator=torch.Generator().manual_seed(3))
    whole = found.weight + 6.0 / 2 * found.lora_b @ found.lora_a
    torch.testing.assert_close(found(x), F.linear(x, whole, found.bias))


def test_dropout_falls_on_the_factors_inputs_and_on_nothing_in_use() -> None:
    found, x = layer(LoraConfig(rank=2, dropout=0.5)), torch.ones(3, 6)
    assert torch.equal(found.eval()(x), found(x))
    plain = F.linear(x, found.weight, found.bias)
    torch.manual_seed(0)
    assert not torch.equal(found.train()(x), found.eval()(x))
    nn.init.zeros_(found.lora_b)
    assert torch.equal(found.train()(x), plain)


@pytest.mark.parametrize("mlp", ["gelu", "swiglu"])
def test_before_the_first_step_the_model_is_the_one_it_was(lab: Lab, mlp: str) -> None:
    config = lab.config({**LORA, "model.mlp": mlp, "model.n_kv_head": 1})
    model = GPT(config.model, 99).init_weights(4)
    tokens = torch.arange(12).view(2, 6)
    plain = model(tokens)
    before, state = model.state_dict(), torch.get_rng_state()
    limit_training(model, config)
    assert torch.equal(torch.get_rng_state(), state)  # a training's dropout is not another one for it
    assert torch.equal(model(tokens), plain)
    learning = {name for name, p in model.named_parameters() if p.requires_grad}
    assert learning == {name for name, _ in model.named_parameters() if name.rpartition(".")[2] in lora.FACTORS}
    assert set(model.state_dict()) - learning == set(before)  # the others keep their names


def test_the_same_seed_draws_the_same_factors(lab: Lab) -> None:
    def factors(seed: int) -> dict[str, torch.Tensor]:
        model = GPT(lab.config().model, 99)
        add_lora(model.blocks, LoraConfig(rank=2), seed)  # type: ignore[arg-type]
        return lora.factors(dict(model.named_parameters()))

    one, same, other = factors(1), factors(1), factors(2)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["blocks.0.attn.qkv.lora_a"], other["blocks.0.attn.qkv.lora_a"])
    assert not torch.equal(one["blocks.0.attn.qkv.lora_a"], one["blocks.1.attn.qkv.lora_a"])


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_what_is_saved_is_the_sum_that_was_trained(lab: Lab, dtype: str) -> None:
    trainer = lab.trainer({**LORA, "training.dtype": dtype})
    for _ in range(4):
        trainer.step(np.arange(4), 1e-2)
    folder = lab.folder / "saved"
    weights = trainer.weights()
    checkpoint.save(folder, state_of(trainer), trainer.prepared.tokenizer.to_json(), weights)
    loaded = load_model(folder)
    assert set(weights) == set(dict(loaded.model.named_parameters()))
    tokens = torch.randint(5, 200, (3, 20), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        plain = trainer.model.eval().float()
        near = {"fp32": 1e-5, "bf16": 3e-2}[dtype]  # in bf16 the factors' working copies are rounded
        torch.testing.assert_close(loaded.model(tokens), plain(tokens), atol=near, rtol=near)
    base = trainer.optimizer.weights()["blocks.0.mlp.up.weight"].float()
    assert not torch.allclose(weights["blocks.0.mlp.up.weight"], base, atol=1e-4)
    assert torch.equal(weights["embed.weight"], trainer.optimizer.weights()["embed.weight"].float())


@pytest.mark.parametrize(("dtype", "start"), [("fp32", True), ("bf16", False)])
def test_a_resume_goes_on_to_the_last_bit(lab: Lab, dtype: str, start: bool) -> None:
    settings = {**LORA, "lora.dropout": 0.1, "training.dtype": dtype, "training.save_interval": 2,
                "training.max_steps": 4, "training.eval_interval": 2}  # fmt: skip
    if start:
        lab.train({"training.max_steps": 2}, "base")
        settings["training.start_from"] = str(checkpoint.newest(lab.run("base").checkpoints)[0])
    lab.train(settings, "whole")
    lab.cut_short(settings, "cut", lambda event: isinstance(event, Saved) and event.step == 2 and event.tag == "last")
    if start:  # the run goes on without the one it began with
        lab.run("base").delete()
    lab.resume("cut")
    assert lab.trace("cut") == lab.trace("whole")
    for one, other in zip(newest(lab, "cut")[1:], newest(lab, "whole")[1:], strict=True):
        assert set(one) == set(other)
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_best_checkpoint_and_a_live_copy_are_whole_models(lab: Lab) -> None:
    control, copies = Control(), []

    def on(event: Any) -> None:
        if isinstance(event, Eval) and not copies:
            copies.append(control.request_copy())

    events = lab.train(LORA, control=control, on=on)
    assert [event.tag for event in lab.of(Saved, events)].count("best") >= 1
    best = lab.run().load("best")
    names = set(dict(best.model.named_parameters()))
    assert set(copies[0].result().weights) == names
    assert lab.run().load("last").model.blocks[0].attn.qkv.__class__ is nn.Linear  # type: ignore[union-attr]
    said = [event.text for event in lab.of(Notice, events)]
    assert any(text.startswith("LoRA of rank 3 on qkv, proj, up, down in 2 of 2 blocks: ") for text in said)


def test_a_tuned_run_is_quantized_and_tuned_further(lab: Lab) -> None:
    lab.train({**LORA, "training.int8": True, "training.max_steps": 2}, "first")
    assert lab.run("first").load("int8").config.lora.rank == 3
    folder = str(checkpoint.newest(lab.run("first").checkpoints)[0])
    lab.train({"training.start_from": folder, "training.max_steps": 2}, "second")
    assert lab.run("second").load().config.lora.rank is None


def test_a_checkpoint_that_lacks_a_weight_is_an_error(lab: Lab) -> None:
    """Only factors may be missing."""
    trainer = lab.trainer(LORA)
    weights = dict(trainer.weights())
    del weights["blocks.1.attn.qkv.weight"]
    with pytest.raises(KeyError, match=r"blocks\.1\.attn\.qkv\.weight"):
        trainer.build(weights, None)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"lora.targets": ["key"]}, "lora.targets: found 'key', allowed: qkv, proj, up, down"),
        ({"lora.targets": []}, "lora.targets: "),
        ({"lora.rank": 0}, "lora.rank: found 0, allowed: a whole number from 1 to 1024 or empty"),
        ({"lora.alpha": 0.0}, "lora.alpha: found 0.0, allowed: a number above 0"),
    ],
)
def test_wrong_settings_are_one_line(changes: dict[str, Any], part: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config().update(changes)
    assert part in str(caught.value)


def test_a_target_named_twice_gets_its_factors_once() -> None:
    model = GPT(ModelConfig(n_layer=1, n_head=2, n_embd=8, seq_len=8), 30)
    add_lora(model.blocks, LoraConfig(rank=2, targets=["qkv", "qkv"]), 0)  # type: ignore[arg-type]
    assert len(lora.factors(dict(model.named_parameters()))) == 2
