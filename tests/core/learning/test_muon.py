"""Muon: orthogonal updates of the matrices of the blocks, everything else AdamW's."""

from __future__ import annotations

import pytest
import torch

from core.model import GPT
from core.muon import LIKE_ADAMW, MOMENTUM, Muon, orthogonal
from core.optim import EMBEDDING_RATE, Optimizer
from core.schema import ModelConfig, TrainingConfig

SMALL = ModelConfig(n_layer=2, n_head=4, n_kv_head=2, n_embd=32, seq_len=16, mlp="swiglu", mlp_hidden=48)


@pytest.mark.parametrize("shape", [(3, 32, 32), (2, 32, 96)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_singular_values_come_near_one_and_directions_stay(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    found = orthogonal(matrices.to(dtype)).float()
    values = torch.linalg.svdvals(found)
    assert float(values.min()) > 0.5 and float(values.max()) < 1.3
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    inner = torch.einsum("bri,brc,bic->bi", u, found, v)
    assert float(inner.min()) > 0.5, "the singular vectors are those of the matrix"


def test_small_singular_values_of_long_matrices_do_not_run_away() -> None:
    """What bf16 rounds off in x x^T near zero would grow twelvefold in each round without a fresh look at x."""
    u, _, v = torch.linalg.svd(torch.randn(2, 64, 256, generator=torch.Generator().manual_seed(7)), full_matrices=False)
    wide = (u * torch.logspace(0, -3.5, 64)) @ v
    found = torch.linalg.svdvals(orthogonal(wide.to(torch.bfloat16)).float())
    assert float(found.max()) < 1.5


def test_heads_and_gates_are_matrices_of_their_own() -> None:
    def lie(name: str, rows: int, columns: int, config: ModelConfig = SMALL) -> list[tuple[int, int, int, int]]:
        """Rows and columns from where to where, of each matrix."""
        muon = Muon([(name, 5, torch.Size([rows, columns]))], config, torch.float32)
        [[place]] = muon.by_shape.values()
        numbers = place.of(torch.arange(-5, rows * columns)).flatten(1)
        return [
            (int(n.min()) // columns, int(n.max()) // columns + 1, int(n.min()) % columns, int(n.max()) % columns + 1)
            for n in numbers
        ]

    assert lie("blocks.0.attn.qkv.weight", 64, 32) == [(top, top + 8, 0, 32) for top in range(0, 64, 8)]
    assert lie("blocks.0.attn.proj.weight", 32, 32) == [(0, 32, left, left + 8) for left in range(0, 32, 8)]
    assert lie("blocks.0.mlp.up.weight", 96, 32) == [(0, 48, 0, 32), (48, 96, 0, 32)]
    assert lie("blocks.0.mlp.down.weight", 32, 48) == [(0, 32, 0, 48)]
    plain = SMALL.model_copy(update={"mlp": "silu"})
    assert lie("blocks.0.mlp.up.weight", 48, 32, plain) == [(0, 48, 0, 32)]


@pytest.mark.parametrize("name", ["qkv", "proj"])
def test_each_head_is_turned_by_itself(name: str) -> None:
    """However large one head's gradient is, each head's update has full length."""
    gradient = torch.randn(32, 32, generator=torch.Generator().manual_seed(6))
    head = gradient[:8] if name == "qkv" else gradient[:, :8]
    head *= 1000.0
    weights = torch.zeros(1024)
    muon = Muon([(f"blocks.0.attn.{name}.weight", 0, torch.Size([32, 32]))], SMALL, torch.float32)
    muon.update_(weights, gradient.flatten(), torch.zeros(1024), lr=1.0, decay=0.0)
    assert list(muon.by_shape) == [(8, 32)]
    moved = weights.view(32, 32) if name == "qkv" else weights.view(32, 32).T
    lengths = moved.reshape(4, -1).square().mean(1).sqrt()
    torch.testing.assert_close(lengths, torch.full((4,), LIKE_ADAMW), rtol=0.2, atol=0.0)


def test_an_update_is_the_orthogonal_direction_with_the_length_of_adamw() -> None:
    muon = Muon([("blocks.0.mlp.down.weight", 0, torch.Size([32, 32]))], SMALL, torch.float32)
    gradient = torch.randn(1024, generator=torch.Generator().manual_seed(2))
    weights, momentum = torch.ones(1024), torch.zeros(1024)
    muon.update_(weights, gradient.clone(), momentum, lr=0.01, decay=0.1)
    assert torch.equal(momentum, gradient)
    wanted = orthogonal(gradient.view(1, 32, 32)).flatten() * (0.01 * LIKE_ADAMW * 32**0.5)
    assert torch.allclose(weights, torch.ones(1024) * (1 - 0.001) - wanted)
    assert float((weights - 0.999).square().mean().sqrt()) == pytest.approx(0.01 * LIKE_ADAMW, rel=0.2)


def test_only_the_matrices_of_the_blocks_are_muons() -> None:
    torch.manual_seed(3)
    model = GPT(SMALL, 40).init_weights(1)
    optimizer = Optimizer(model, TrainingConfig(optimizer="muon", max_steps=9), torch.float32)
    names = {name.partition(".")[2] for name in optimizer.state() if name.startswith("momentum.")}
    assert names == {name for name, p in model.named_parameters() if name.startswith("blocks.") and p.ndim == 2}
    assert {name.partition(".")[2] for name in optimizer.state() if name.startswith("square.")}.isdisjoint(names)
    before = {name: weight.clone() for name, weight in optimizer.weights().items()}
    assert set(before) == {name for name, _ in model.named_parameters()}
    tokens = torch.randint(0, 40, (2, 9))
    model.loss_sum(tokens[:, :-1], tokens[:, 1:]).backward()  # type: ignore[no-untyped-call]
    optimizer.collect_gradients(first=True)
    optimizer.step(0.01)
    assert all(not torch.equal(before[name], weight) for name, weight in optimizer.weights().items())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_saved_memory_goes_on_exactly(dtype: torch.dtype) -> None:
    config = TrainingConfig(optimizer="muon", max_steps=9)
    tokens = torch.randint(0, 40, (2, 9), generator=torch.Generator().manual_seed(4))

    def steps(model: GPT, optimizer: Optimizer, count: int) -> None:
        for _step in range(count):
            model.loss_sum(tokens[:, :-1], tokens[:, 1:]).backward()  # type: ignore[no-untyped-call]
            optimizer.collect_gradients(first=True)
            optimizer.step(0.01)

    model = GPT(SMALL, 40).init_weights(1)
    optimizer = Optimizer(model, config, dtype)
    steps(model, optimizer, 2)
    weights = {name: value.clone() for name, value in optimizer.weights().items()}
    memory = {name: value.clone() for name, value in optimizer.state().items()}
    steps(model, optimizer, 2)
    again = GPT(SMALL, 40).init_weights(2)
    other = Optimizer(again, config, dtype)
    other.load(weights, memory)
    steps(again, other, 2)
    for name, weight in optimizer.weights().items():
        assert torch.equal(weight, other.weights()[name]), name


def test_embeddings_learn_faster_beside_muon() -> None:
    tokens = torch.randint(0, 40, (2, 9), generator=torch.Generator().manual_seed(5))
    moved = {}
    for kind in ("adamw", "muon"):
        model = GPT(SMALL, 40).init_weights(1)
        optimizer = Optimizer(model, TrainingConfig(optimizer=kind, max_steps=9, weight_decay=0.0), torch.float32)
        before = optimizer.weights()["embed.weight"].clone()
        model.loss_sum(tokens[:, :-1], tokens[:, 1:]).backward()  # type: ignore[no-untyped-call]
        optimizer.collect_gradients(first=True)
        optimizer.step(0.001)
        moved[kind] = optimizer.weights()["embed.weight"] - before
    torch.testing.assert_close(moved["muon"], moved["adamw"] * EMBEDDING_RATE)


@pytest.mark.parametrize(("rows", "columns"), [(16, 64), (64, 16), (48, 48)])
def test_an_update_is_as_long_whatever_the_shape(rows: int, columns: int) -> None:
    muon = Muon([("blocks.0.mlp.down.weight", 0, torch.Size([rows, columns]))], SMALL, torch.float32)
    gradient = torch.randn(rows * columns, generator=torch.Generator().manual_seed(8))
    weights = torch.zeros(rows * columns)
    muon.update_(weights, gradient, torch.zeros(rows * columns), lr=1.0, decay=0.0)
    assert float(weights.square().mean().sqrt()) == pytest.approx(LIKE_ADAMW, rel=0.2)


def test_the_second_update_has_nesterovs_momentum() -> None:
    muon = Muon([("blocks.0.mlp.down.weight", 0, torch.Size([32, 32]))], SMALL, torch.float32)
    generator = torch.Generator().manual_seed(9)
    first, second = torch.randn(1024, generator=generator), torch.randn(1024, generator=generator)
    momentum = torch.zeros(1024)
    muon.update_(torch.zeros(1024), first.clone(), momentum, lr=0.01, decay=0.0)
    weights = torch.zeros(1024)
    muon.update_(weights, second.clone(), momentum, lr=0.01, decay=0.0)
    torch.testing.assert_close(momentum, second + MOMENTUM * first)
    wanted = orthogonal((second + MOMENTUM * momentum).view(1, 32, 32)).flatten() * (0.01 * LIKE_ADAMW * 32**0.5)
    torch.testing.assert_close(weights, -wanted)


def test_a_gradient_of_zeros_moves_nothing() -> None:
    """That of LoRA's A is so in the first step, B being zeros."""
    muon = Muon([("blocks.0.mlp.down.weight", 0, torch.Size([32, 32]))], SMALL, torch.float32)
    weights = torch.ones(1024)
    muon.update_(weights, torch.zeros(1024), torch.zeros(1024), lr=0.01, decay=0.0)
    assert torch.equal(weights, torch.ones(1024))
