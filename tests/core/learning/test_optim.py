"""The optimizer on flat memory against torch's own, and the learning-rate schedule."""

from __future__ import annotations

import copy
import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from core import optim
from core.model import GPT
from core.optim import Optimizer, learning_rate
from core.schema import ModelConfig, TrainingConfig
from core.weights_file import read_safetensors, write_safetensors

FP32, BF16 = torch.float32, torch.bfloat16


def settings(**changes: Any) -> TrainingConfig:
    return TrainingConfig(**{"max_steps": 10, **changes})


def small(**changes: Any) -> GPT:
    shape = {"n_layer": 1, "n_head": 2, "n_embd": 16, "seq_len": 16, "norm": "layernorm", "position": "learned"}
    return GPT(ModelConfig(**{**shape, **changes}), 30).init_weights(0)


def gradients(model: GPT, seed: int, scale: float = 1.0) -> None:
    """Put random gradients where a backward pass would."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator) * scale
        parameter.grad = noise.to(parameter.dtype)


def update(model: GPT, optimizer: Optimizer, seed: int, lr: float = 1e-2) -> None:
    gradients(model, seed)
    optimizer.collect_gradients(first=True)
    optimizer.step(lr)


def flat_gradient(optimizer: Optimizer) -> Tensor:
    return torch.cat([group.gradient for group in optimizer._groups])


# -- the update ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "written-out"])
def test_updates_are_those_of_adamw(fused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not fused:
        monkeypatch.setattr(optim, "_FUSED", None)
    config = settings(weight_decay=0.3, beta1=0.8, beta2=0.9)
    model = small()
    other = copy.deepcopy(model)
    optimizer = Optimizer(model, config, FP32)
    matrices = [p for p in other.parameters() if p.ndim >= 2]
    vectors = [p for p in other.parameters() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": 0.3}, {"params": vectors, "weight_decay": 0.0}]
    reference = torch.optim.AdamW(groups, lr=1.0, betas=(0.8, 0.9), eps=1e-8)
    for step, lr in enumerate((1e-2, 3e-3, 1e-2, 1e-3)):
        update(model, optimizer, step, lr)
        gradients(other, step)
        for group in reference.param_groups:
            group["lr"] = lr
        reference.step()
    for (name, found), expected in zip(model.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.parametrize("norm", ["rmsnorm", "layernorm", "scalenorm"])
def test_only_matrices_decay(norm: str) -> None:
    model = small(norm=norm)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
    optimizer = Optimizer(model, settings(weight_decay=0.5), FP32)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.collect_gradients(first=True)
    optimizer.step(0.1)
    for name, parameter in model.named_parameters():
        expected = 1.0 - 0.1 * 0.5 if parameter.ndim == 2 else 1.0
        torch.testing.assert_close(parameter.detach(), torch.full_like(parameter, expected), msg=name)
    shrunk = {name for name, parameter in model.named_parameters() if float(parameter.detach().max()) < 1.0}
    assert {"embed.weight", "position.weight", "blocks.0.attn.qkv.weight", "blocks.0.mlp.up.weight"} <= shrunk
    assert not any("norm" in name or "bias" in name for name in shrunk)


def test_a_model_without_vectors_or_with_frozen_parts_can_be_trained() -> None:
    model = small(norm="rmsnorm")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name == "blocks.0.mlp.up.weight")
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = Optimizer(model, settings(), BF16)
    update(model, optimizer, 0)
    assert {p.dtype for p in model.parameters()} == {BF16}
    for name, parameter in model.named_parameters():
        same = torch.equal(parameter.detach(), before[name].bfloat16())
        assert same == (name != "blocks.0.mlp.up.weight"), name


# -- gradients ----------------------------------------------------------------------------------------------


def test_gradients_of_micro_batches_add_up_and_a_new_step_starts_anew() -> None:
    model = small()
    optimizer = Optimizer(model, settings(), FP32)
    single = []
    for seed in (1, 2):
        gradients(model, seed)
        optimizer.collect_gradients(first=True)
        single.append(flat_gradient(optimizer).clone())
    assert not torch.equal(*single)
    gradients(model, 1)
    optimizer.collect_gradients(first=True)
    gradients(model, 2)
    optimizer.collect_gradients(first=False)
    torch.testing.assert_close(flat_gradient(optimizer), single[0] + single[1])
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_parameter_without_a_gradient_counts_as_zero() -> None:
    model = small()
    optimizer = Optimizer(model, settings(weight_decay=0.0), FP32)
    update(model, optimizer, 0)
    gradients(model, 1)
    model.embed.weight.grad = None
    optimizer.collect_gradients(first=True)
    zeros = int((flat_gradient(optimizer) == 0).sum())
    assert zeros == model.embed.weight.numel()


def test_small_gradients_add_up_in_fp32_also_for_bf16_weights() -> None:
    model = small()
    optimizer = Optimizer(model, settings(), BF16)
    for number in range(65):
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, 1.0 if number == 0 else 2**-9)
        optimizer.collect_gradients(first=number == 0)
    torch.testing.assert_close(flat_gradient(optimizer), torch.full_like(flat_gradient(optimizer), 1.125))


@pytest.mark.parametrize("longest", [0.5, 1.0, 100.0])
def test_clipping_shortens_the_whole_gradient(longest: float) -> None:
    model = small()
    optimizer = Optimizer(model, settings(), FP32)
    gradients(model, 0, scale=0.1)
    expected = math.sqrt(sum(float((p.grad**2).sum()) for p in model.parameters() if p.grad is not None))
    optimizer.collect_gradients(first=True)
    before = flat_gradient(optimizer).clone()
    assert optimizer.clip(longest) == pytest.approx(expected, rel=1e-5)  # the length before clipping
    after = flat_gradient(optimizer)
    assert float(after.norm()) == pytest.approx(min(expected, longest), rel=1e-5)
    torch.testing.assert_close(after, before * min(1.0, longest / expected))


def test_no_clipping_leaves_the_gradient() -> None:
    model = small()
    optimizer = Optimizer(model, settings(), FP32)
    gradients(model, 0, scale=100.0)
    optimizer.collect_gradients(first=True)
    before = flat_gradient(optimizer).clone()
    assert optimizer.clip(0.0) > 100.0
    assert torch.equal(flat_gradient(optimizer), before)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_bad_number_anywhere_shows_in_the_length(value: float) -> None:
    model = small()
    optimizer = Optimizer(model, settings(), FP32)
    gradients(model, 0)
    bias = model.blocks[0].mlp.up.bias
    bias.grad[3] = value
    optimizer.collect_gradients(first=True)
    assert not math.isfinite(optimizer.clip(1.0))


@pytest.mark.parametrize("batches", [1, 2])
@pytest.mark.parametrize("dtype", [FP32, BF16])
def test_a_large_model_is_updated_chunk_by_chunk_to_the_same_weights(
    dtype: torch.dtype, batches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for streamed in (False, True):
        with monkeypatch.context() as patch:
            if streamed:
                patch.setattr(optim, "STREAMED_FROM", 1)
                patch.setattr(optim, "CHUNK", 7)
            model = small()
            optimizer = Optimizer(model, settings(), dtype)
            for number in range(6):
                for batch in range(batches):
                    gradients(model, 10 * number + batch, scale=0.1)
                    if number == 3:
                        model.blocks[0].attn.proj.weight.grad = None
                    optimizer.collect_gradients(first=batch == 0)
                assert all(parameter.grad is None for parameter in model.parameters())
                norm = optimizer.clip(0.5)
                optimizer.step(1e-2)
            assert (len(flat_gradient(optimizer)) == 0) == (streamed and batches == 1)
        results.append((norm, optimizer.weights(), optimizer.state(), [p.detach() for p in model.parameters()]))
    torch.testing.assert_close(results[1], results[0], rtol=1e-5, atol=1e-7)


def test_a_gradient_that_was_held_but_not_used_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optim, "STREAMED_FROM", 1)
    model = small()
    optimizer = Optimizer(model, settings(), FP32)
    gradients(model, 0, scale=math.inf)
    optimizer.collect_gradients(first=True)
    assert not math.isfinite(optimizer.clip(1.0))
    update(model, optimizer, 1)
    assert all(bool(weights.isfinite().all()) for weights in optimizer.weights().values())


# -- bf16 ---------------------------------------------------------------------------------------------------


def test_the_master_copy_keeps_updates_that_bf16_would_lose() -> None:
    alone = torch.ones(1, dtype=BF16)
    for _ in range(100):
        alone -= 1e-4
    assert float(alone) == 1.0  # what the master copy is there for
    model = small()
    with torch.no_grad():
        model.embed.weight.fill_(1.0)
    optimizer = Optimizer(model, settings(weight_decay=0.0), BF16)
    for _ in range(100):
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer.collect_gradients(first=True)
        optimizer.step(1e-4)
    assert float(optimizer.weights()["embed.weight"][0, 0]) == pytest.approx(0.99, abs=1e-5)
    assert float(model.embed.weight.detach()[0, 0]) == float(torch.tensor(0.99).bfloat16())


def test_the_model_computes_with_the_rounded_master() -> None:
    model = small()
    optimizer = Optimizer(model, settings(), BF16)
    update(model, optimizer, 0)
    weights = optimizer.weights()
    assert {p.dtype for p in model.parameters()} == {BF16}
    assert {p.dtype for p in weights.values()} == {FP32}
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter.detach(), weights[name].bfloat16()), name
    assert any(not torch.equal(weights[name], weights[name].bfloat16().float()) for name in weights)


def test_in_fp32_there_is_no_second_copy() -> None:
    model = small()
    optimizer = Optimizer(model, settings(), FP32)
    for name, parameter in model.named_parameters():
        assert parameter.data_ptr() == optimizer.weights()[name].data_ptr()


# -- saving -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [FP32, BF16], ids=["fp32", "bf16"])
def test_state_survives_a_file_exactly(dtype: torch.dtype, tmp_path: Path) -> None:
    config = settings(weight_decay=0.1)
    straight = small()
    optimizer = Optimizer(straight, config, dtype)
    for seed in range(3):
        update(straight, optimizer, seed)
    write_safetensors(tmp_path / "weights", optimizer.weights())
    write_safetensors(tmp_path / "memory", optimizer.state())
    resumed = small()
    second = Optimizer(resumed, config, dtype)
    second.load(read_safetensors(tmp_path / "weights"), read_safetensors(tmp_path / "memory"))
    for seed in range(3, 6):
        update(straight, optimizer, seed)
        update(resumed, second, seed)
    for saved in (Optimizer.weights, Optimizer.state):
        first, other = saved(optimizer), saved(second)
        assert list(first) == list(other)
        assert all(torch.equal(first[name], other[name]) for name in first)
    for a, b in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_weights_without_memory_start_a_fresh_memory() -> None:
    model, other = small(), small()
    optimizer, second = Optimizer(model, settings(), FP32), Optimizer(other, settings(), FP32)
    update(model, optimizer, 0)
    second.load(optimizer.weights(), {})
    assert torch.equal(other.embed.weight, model.embed.weight)
    gradients(other, 1)
    start = other.embed.weight.detach().clone()
    second.collect_gradients(first=True)
    second.step(1e-2)
    # Adam's first update is lr times the sign of the gradient: the memory was empty
    moved = (other.embed.weight.detach() - start * (1 - 1e-2 * settings().weight_decay)).abs()
    torch.testing.assert_close(moved, torch.full_like(moved, 1e-2), rtol=1e-2, atol=0)


@pytest.mark.parametrize("part", ["weights", "memory"])
def test_a_missing_name_is_an_error(part: str) -> None:
    model = small()
    optimizer = Optimizer(model, settings(), FP32)
    update(model, optimizer, 0)
    saved = {"weights": dict(optimizer.weights()), "memory": dict(optimizer.state())}
    name = next(name for name in saved[part] if "qkv.weight" in name)
    del saved[part][name]
    with pytest.raises(KeyError, match=r"qkv\.weight"):
        Optimizer(small(), settings(), FP32).load(saved["weights"], saved["memory"])


# -- the schedule -------------------------------------------------------------------------------------------


def test_schedule_warms_up_in_a_line_and_falls_in_a_cosine() -> None:
    config = settings(lr=1.0, min_lr=0.1, warmup_ratio=0.2)
    assert learning_rate(0.0, config) == 0.0
    assert learning_rate(0.05, config) == pytest.approx(0.25)
    assert learning_rate(0.1, config) == pytest.approx(0.5)
    assert learning_rate(0.2, config) == pytest.approx(1.0)
    assert learning_rate(0.4, config) == pytest.approx(0.1 + 0.45 * (1 + math.cos(math.pi / 4)))
    assert learning_rate(0.6, config) == pytest.approx(0.55)
    assert learning_rate(1.0, config) == pytest.approx(0.1)


def test_schedule_has_no_jump_and_ends_at_the_lowest_rate() -> None:
    config = settings(lr=1e-3, min_lr=1e-5, warmup_ratio=0.05)
    rates = [learning_rate(i / 1000, config) for i in range(1001)]
    assert max(abs(a - b) for a, b in itertools.pairwise(rates)) < 1e-3 / 40
    top = rates.index(max(rates))
    assert top == 50
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] == pytest.approx(1e-5)
    assert learning_rate(1.7, config) == pytest.approx(1e-5)  # beyond the end it stays there


def test_schedule_without_warm_up_starts_at_the_top() -> None:
    assert learning_rate(0.0, settings(lr=0.5, warmup_ratio=0.0)) == pytest.approx(0.5)


@pytest.mark.parametrize("dtype", [FP32, BF16], ids=["fp32", "bf16"])
def test_what_was_loaded_is_computed_with_at_once(dtype: torch.dtype) -> None:
    """Also what is frozen; the first step after a resume must see it."""

    def half_frozen(seed: int) -> tuple[GPT, Optimizer]:
        model = small().init_weights(seed)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_("mlp" in name)
        return model, Optimizer(model, settings(), dtype)

    model, optimizer = half_frozen(0)
    update(model, optimizer, 0)
    resumed, second = half_frozen(1)
    second.load(optimizer.weights(), optimizer.state())
    for (name, expected), found in zip(model.named_parameters(), resumed.parameters(), strict=True):
        assert found.dtype == dtype
        assert torch.equal(found, expected), name


def test_the_count_of_updates_is_the_one_that_was_saved() -> None:
    """Whatever the optimizer has done before."""
    model, other = small(), small()
    optimizer, second = Optimizer(model, settings(), FP32), Optimizer(other, settings(), FP32)
    for seed in range(3):
        update(model, optimizer, seed)
        update(other, second, seed)
    update(model, optimizer, 3)
    second.load(optimizer.weights(), optimizer.state())
    assert [float(second.state()[f"step.{number}"]) for number in range(2)] == [4.0, 4.0]
