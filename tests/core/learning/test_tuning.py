"""What a training leaves alone: frozen blocks cost nothing and do not move; a block computed twice learns the same."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import torch

from core import checkpoint, tuning
from core.config import load_config
from core.errors import ConfigError
from core.events import Notice, Started, Step
from core.model import GPT
from core.optim import Optimizer
from core.skeleton import count_parameters
from gpt_tui.step_cost import learning_parameters

if TYPE_CHECKING:
    from .conftest import Lab

THREE = {"model.n_layer": 3, "training.max_steps": 2}
TOP = {**THREE, "training.trainable_blocks": 1}
LORA = {**THREE, "lora.rank": 2}


def saved(lab: Lab, name: str = "run") -> dict[str, torch.Tensor]:
    return checkpoint.load(checkpoint.newest(lab.run(name).checkpoints)[0])[1]


def fresh(lab: Lab, changes: dict[str, Any], name: str = "run") -> dict[str, torch.Tensor]:
    """The weights that a run without --from begins with."""
    config = lab.config(changes)
    model = GPT(config.model, saved(lab, name)["embed.weight"].shape[0])
    return model.init_weights(config.training.seed).state_dict()


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_only_the_top_blocks_and_the_last_norm_move(lab: Lab, dtype: str) -> None:
    changes = {**TOP, "training.dtype": dtype, "training.weight_decay": 0.5}
    lab.train(changes)
    before, after = fresh(lab, changes), saved(lab)
    exact = torch.float32 if dtype == "fp32" else torch.bfloat16  # frozen weights are what is computed with
    still = {name for name, weight in after.items() if torch.equal(weight, before[name].to(exact).float())}
    assert still == {name for name in after if not name.startswith(("blocks.2.", "norm."))}
    assert all(weight.dtype == torch.float32 for weight in after.values())


def test_an_untied_output_layer_learns_a_tied_one_does_not(lab: Lab) -> None:
    changes = {**TOP, "model.tie_embeddings": False}
    lab.train(changes)
    before, after = fresh(lab, changes), saved(lab)
    assert not torch.equal(after["head.weight"], before["head.weight"])
    assert torch.equal(after["embed.weight"], before["embed.weight"])


@pytest.mark.parametrize("changes", [TOP, {**LORA, "training.trainable_blocks": 1}], ids=["top", "lora"])
def test_nothing_is_computed_backward_below_what_learns(lab: Lab, changes: dict[str, Any]) -> None:
    trainer = lab.trainer(changes)
    reached: list[int] = []

    def watch(number: int, out: torch.Tensor) -> None:
        if out.requires_grad:
            out.register_hook(lambda _gradient: reached.append(number))

    for number, block in enumerate(trainer.model.blocks):
        block.register_forward_hook(lambda _block, _inputs, out, number=number: watch(number, out))
    batch = torch.randint(5, 200, (2, 9))
    trainer.model.loss_sum(batch[:, :-1], batch[:, 1:]).backward()  # type: ignore[no-untyped-call]
    assert reached == [2]
    learning = {name for name, p in trainer.model.named_parameters() if p.grad is not None}
    assert learning == {name for name, p in trainer.model.named_parameters() if p.requires_grad}
    assert all(name.startswith(("blocks.2.", "norm.")) for name in learning)


@pytest.mark.parametrize("changes", [TOP, LORA], ids=["top", "lora"])
def test_adam_and_master_copies_are_for_what_learns_only(lab: Lab, changes: dict[str, Any]) -> None:
    trainer = lab.trainer({**changes, "training.dtype": "bf16"})
    learning = tuning.count(trainer.model)[1]
    state = trainer.optimizer.state()
    assert sum(v.numel() for name, v in state.items() if name.startswith(("mean.", "square."))) == 2 * learning
    masters = {n: w for n, w in trainer.optimizer.weights().items() if w.dtype == torch.float32}
    assert sum(weight.numel() for weight in masters.values()) == learning
    assert {p.dtype for p in trainer.model.parameters()} == {torch.bfloat16}


def test_it_says_what_learns(lab: Lab) -> None:
    events = lab.train({**TOP, "training.max_steps": 1})
    said = [event.text for event in lab.of(Notice, events)]
    started = lab.of(Started, events)[0]
    report = lab.run().report() or {}
    learning = report["learning_parameters"]
    assert f"the top 1 of 3 blocks learn: {learning:,} of {started.parameters:,} parameters" in said
    assert report["parameters"] == started.parameters == sum(w.numel() for w in saved(lab).values())


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"training.trainable_blocks": 1},
        {"training.trainable_blocks": 1, "model.tie_embeddings": False, "model.bias": False},
        {"training.trainable_blocks": 2, "model.norm": "layernorm", "model.norm_eps": 1e-5},
        {"lora.rank": 3},
        {"lora.rank": 3, "lora.targets": ["qkv", "proj", "up", "down"], "training.trainable_blocks": 2},
        {"lora.rank": 3, "lora.targets": ["up", "up"], "model.mlp": "swiglu", "model.n_kv_head": 1},
        {"lora.rank": 3, "lora.targets": ["qkv", "proj"], "model.head_dim": 24},
    ],
)
def test_the_count_is_known_before(lab: Lab, changes: dict[str, Any]) -> None:
    """``params`` and the form count by arithmetic what the engine counts on the model."""
    config = lab.config({"model.n_layer": 3, **changes})
    model = GPT(config.model, 300)
    tuning.limit_training(model, config)
    assert tuning.count(model) == (
        sum(count_parameters(config.model, 300).values()),
        learning_parameters(config, 300),
    )


def test_more_blocks_than_there_are_are_refused(lab: Lab) -> None:
    with pytest.raises(ConfigError, match=r"training\.trainable_blocks \(3\) must not be above model\.n_layer \(2\)"):
        lab.config({"training.trainable_blocks": 3})


# -- gradient checkpointing ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [{"model.dropout": 0.2}, {**LORA, "lora.dropout": 0.3}, {**TOP, "model.position": "learned"}],
    ids=["dropout", "lora", "top"],
)
def test_blocks_computed_twice_learn_the_same_to_the_last_bit(lab: Lab, changes: dict[str, Any]) -> None:
    short = {**changes, "training.max_steps": 3}
    lab.train(short, "once")
    lab.train({**short, "training.gradient_checkpointing": True}, "twice")
    assert lab.trace("twice") == lab.trace("once")
    assert len([line for line in lab.trace("twice") if line[0] == "step"]) == 3
    one, other = saved(lab, "once"), saved(lab, "twice")
    assert all(torch.equal(one[name], other[name]) for name in one)


def kept_bytes(model: GPT) -> int:
    """What a forward pass keeps for the way back, parameters aside."""
    own = {p.data_ptr() for p in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.data_ptr() not in own:
            kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    tokens = torch.randint(5, 200, (4, 41), generator=torch.Generator().manual_seed(0))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.loss_sum(tokens[:, :-1], tokens[:, 1:])
    return sum(kept.values())


def test_blocks_computed_twice_keep_less(lab: Lab) -> None:
    model = GPT(lab.config({"model.n_layer": 4}).model, 200).init_weights(0).train()
    once = kept_bytes(model)
    model.recompute = True
    assert kept_bytes(model) < once / 3


def test_an_evaluation_computes_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.model.checkpoint", lambda *_: pytest.fail("computed twice"))
    model = GPT(lab.config().model, 200).init_weights(0)
    model.recompute = True
    tokens = torch.tensor([[3, 4, 5]])
    model.eval()(tokens)
    with torch.inference_mode():
        model.train()(tokens)


# -- the recipe ---------------------------------------------------------------------------------------------


def test_without_a_model_to_tune_the_recipe_says_what_to_do(lab: Lab) -> None:
    changes = {"training.start_required": True, "recipe": "alpaca"}
    with pytest.raises(ConfigError, match="alpaca tunes a model that is trained already; name one with --from RUN"):
        lab.train(changes)
    assert not lab.run().path.exists()
    lab.train({"training.max_steps": 1}, "base")
    folder = str(checkpoint.newest(lab.run("base").checkpoints)[0])
    events = lab.train({**changes, "training.start_from": folder, "training.max_steps": 1})
    assert len(lab.of(Step, events)) == 1


def test_the_recipe_is_the_seeds() -> None:
    config = load_config("alpaca")
    training, data = config.training, config.data
    assert (training.lr, training.max_epochs, training.batch_size) == (5e-5, 2, 8)
    assert (data.valid_fraction, data.test_fraction, data.template) == (0.1, 0.05, "alpaca")
    assert training.start_required
    assert not load_config("alpaca-tiny").training.start_required
    assert sum(count_parameters(config.model, config.tokenizer.vocab_size).values()) == 124_439_808


def test_after_bad_steps_it_goes_back_to_the_weights_it_began_with(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first checkpoint there is nothing else to go back to; fresh weights would be another model."""
    lab.train({"training.max_steps": 1}, "base")
    folder = str(checkpoint.newest(lab.run("base").checkpoints)[0])
    further = {"training.start_from": folder, "training.max_steps": 1, "training.lr": 1e-7, "training.min_lr": 0.0}
    clip, calls = Optimizer.clip, iter(range(100))
    monkeypatch.setattr(Optimizer, "clip", lambda self, longest: math.nan if next(calls) < 3 else clip(self, longest))
    lab.train(further)
    base, after = saved(lab, "base"), saved(lab)
    for name, weight in base.items():
        torch.testing.assert_close(after[name], weight, atol=1e-6, rtol=0, msg=name)


@pytest.mark.parametrize("changes", [{"training.trainable_blocks": 1}, {"lora.rank": 2}], ids=["blocks", "LoRA"])
def test_what_is_frozen_is_that_of_the_model_that_is_tuned(lab: Lab, changes: dict[str, Any]) -> None:
    lab.train({"training.max_steps": 2}, "base")
    base = lab.run("base").load().model.state_dict()
    folder = str(checkpoint.newest(lab.run("base").checkpoints)[0])
    lab.train({**changes, "training.start_from": folder, "training.max_steps": 1, "training.seed": 9}, "tuned")
    tuned = lab.run("tuned").load().model.state_dict()
    for name in ("embed.weight", "blocks.0.norm1.weight", "blocks.0.mlp.down.weight"):
        assert torch.equal(tuned[name], base[name]), name
    assert not torch.equal(tuned["blocks.1.attn.qkv.weight"], base["blocks.1.attn.qkv.weight"])
