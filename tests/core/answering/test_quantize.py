"""int8: how near it stays to fp32, with torch's int8 product and without, in memory and on disk."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from core import checkpoint, quantize
from core.config import Config
from core.errors import CheckpointError
from core.generate import answer_batch
from core.model import GPT
from core.quantize import (
    Int8Embedding,
    Int8Linear,
    is_quantized,
    load_quantized,
    quantize_rows,
    quantize_weights,
    vector_product,
)
from core.runs import load_model
from core.schema import SamplingConfig
from core.tokenizer import Tokenizer

Make = Callable[..., GPT]


@pytest.fixture(params=["product", "fallback"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With torch's int8 product, and as on a machine that has none."""
    if request.param == "fallback":
        monkeypatch.setattr(quantize, "_int8_product", lambda: None)
    elif quantize._int8_product() is None:
        pytest.skip("no int8 product here")
    return str(request.param)


# -- rows -----------------------------------------------------------------------------------------------------


@given(st.integers(1, 6), st.integers(1, 40), st.integers(0, 10_000), st.floats(-6, 6))
def test_rows_are_off_by_half_a_step_at_most(rows: int, columns: int, seed: int, exponent: float) -> None:
    x = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)) * 10**exponent
    values, scale = quantize_rows(x)
    assert values.dtype == torch.int8
    assert tuple(scale.shape) == (rows, 1)
    assert int(values.abs().max()) == 127, "the largest of each row takes the whole range"
    error = (values.float() * scale - x).abs()
    assert bool((error <= 0.5001 * scale).all())


def test_each_row_has_its_own_scale() -> None:
    values, scale = quantize_rows(torch.tensor([[1.0, -2.0, 4.0], [1000.0, 0.0, -4000.0]]))
    assert values.tolist() == [[32, -64, 127], [32, 0, -127]]
    assert scale.flatten().tolist() == pytest.approx([4 / 127, 4000 / 127])


def test_rows_of_zeros_stay_zeros() -> None:
    values, scale = quantize_rows(torch.tensor([[0.0, 0.0], [0.0, 1e-20]]))
    assert values.tolist() == [[0, 0], [0, 0]]
    assert bool(torch.isfinite(scale).all())
    assert bool((scale > 0).all())


# -- layers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 256, 1024), (7, 64, 48), (33, 30, 10), (64, 8, 8), (1, 1, 1)])
def test_linear_is_close_to_fp32(way: str, shape: tuple[int, int, int], bias: bool) -> None:
    rows, columns, out = shape
    generator = torch.Generator().manual_seed(1)
    exact = torch.nn.Linear(columns, out, bias=bias)
    with torch.no_grad():
        for parameter in exact.parameters():
            parameter.normal_(0.0, 0.5, generator=generator)
    x = torch.randn(rows, columns, generator=generator)
    layer = Int8Linear(*quantize_rows(exact.weight.detach()), exact.bias.detach() if bias else None)
    with torch.inference_mode():
        wanted, found = exact(x), layer(x)
    assert found.shape == wanted.shape
    assert found.dtype == torch.float32
    # Each product is off by half a step of the weight and, with the product, of the activation.
    bound = 0.6 * (x.norm(dim=1, keepdim=True) * exact.weight.abs().amax(1) / 127 + x.abs().amax(1, keepdim=True) / 127
                   * exact.weight.norm(dim=1))  # fmt: skip
    assert bool(((found - wanted).abs() <= 2 * bound + 1e-5).all())
    if columns >= 30:
        assert float((found - wanted).norm() / wanted.norm()) < 0.02


def test_linear_takes_any_number_of_dimensions(way: str) -> None:
    weight = torch.randn(5, 8)
    layer = Int8Linear(*quantize_rows(weight), torch.randn(5))
    x = torch.randn(2, 3, 8)
    out = layer(x)
    assert tuple(out.shape) == (2, 3, 5)
    assert torch.allclose(out[1, 2], layer(x[1, 2][None])[0], atol=1e-6)
    assert torch.equal(layer(torch.zeros(1, 8))[0], layer.get_buffer("bias"))


def test_fallback_equals_the_product_but_for_the_activations(monkeypatch: pytest.MonkeyPatch) -> None:
    if quantize._int8_product() is None:
        pytest.skip("no int8 product here")
    generator = torch.Generator().manual_seed(2)
    layer = Int8Linear(*quantize_rows(torch.randn(64, 96, generator=generator)), torch.randn(64, generator=generator))
    whole = torch.randint(-127, 128, (9, 96), generator=generator).float()
    whole[:, 0] = 127.0  # int8 holds these exactly
    x = torch.randn(9, 96, generator=generator)
    by_product = [layer(whole), layer(x)]
    monkeypatch.setattr(quantize, "_int8_product", lambda: None)
    assert torch.allclose(layer(whole), by_product[0], rtol=1e-4, atol=1e-2)
    assert float((layer(x) - by_product[1]).norm() / by_product[1].norm()) < 0.01


def test_embedding_gives_vectors_and_logits(way: str) -> None:
    weight = torch.randn(20, 32, generator=torch.Generator().manual_seed(3))
    embedding = Int8Embedding(*quantize_rows(weight))
    tokens = torch.tensor([[3, 0], [19, 3]])
    assert torch.allclose(embedding(tokens), F.embedding(tokens, weight), atol=0.02)
    assert torch.equal(embedding(tokens)[0, 0], embedding(tokens)[1, 1])
    hidden = torch.randn(2, 32, generator=torch.Generator().manual_seed(4))
    assert torch.allclose(embedding.project(hidden), hidden @ weight.T, atol=0.5)
    assert torch.equal(embedding.project(hidden).argmax(1), (hidden @ weight.T).argmax(1))


@pytest.fixture
def self_test() -> Iterator[Callable[[Any], Any]]:
    """``_int8_product`` with another product in torch's place, asked anew."""
    real = torch._int_mm

    def ask(product: Any) -> Any:
        if product is None:
            del torch._int_mm
        else:
            torch._int_mm = product
        quantize._int8_product.cache_clear()
        return quantize._int8_product()

    yield ask
    torch._int_mm = real
    quantize._int8_product.cache_clear()


def test_a_product_that_is_missing_fails_or_is_wrong_is_not_used(self_test: Callable[[Any], Any]) -> None:
    def fails(a: Tensor, b: Tensor) -> Tensor:
        raise RuntimeError("not on this processor")

    def saturates(a: Tensor, b: Tensor) -> Tensor:
        return (a.int() @ b.int()).clamp(-32768, 32767)

    def refuses_single_rows(a: Tensor, b: Tensor) -> Tensor:
        if len(a) == 1:
            raise RuntimeError("self.size(0) needs to be greater than 16")
        return a.int() @ b.int()

    for product in (None, fails, saturates, refuses_single_rows):
        assert self_test(product) is None
    right = lambda a, b: a.int() @ b.int()  # noqa: E731
    assert self_test(right) is right


# -- one vector -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("columns", [32, 256])
def test_a_vector_is_multiplied_as_in_the_layer(columns: int, bias: bool) -> None:
    generator = torch.Generator().manual_seed(5)
    exact = torch.randn(51, columns, generator=generator)
    added = torch.randn(51, generator=generator) if bias else None
    x = torch.randn(columns, generator=generator)
    product = vector_product(Int8Linear(*quantize_rows(exact), added))
    if product is None:
        pytest.skip("no such kernel here")
    out = torch.full((51,), math.nan)
    with torch.inference_mode():
        assert product(x, 0.5, out) is out
        wanted = F.linear(x * 0.5, exact, added)
        assert float((out - wanted).norm() / wanted.norm()) < 0.02
        again = product(x, 0.5, torch.empty(51))
    assert torch.equal(again, out), "nothing is left over from the call before"


@pytest.mark.parametrize("columns", [30, 48])
def test_a_width_that_the_kernel_for_vectors_would_read_past_has_none(columns: int) -> None:
    assert vector_product(Int8Linear(*quantize_rows(torch.ones(4, columns)), None)) is None


def test_a_kernel_for_vectors_that_is_missing_fails_or_is_wrong_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(x: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
        raise RuntimeError("not on this processor")

    def without_scale(x: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
        return (x.float() @ weight.float().t()).bfloat16()

    def right(x: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
        return (x.float() @ (weight.float() * scale.float()[:, None]).t()).bfloat16()

    def found(product: Any, processor: str = "AVX2") -> Any:
        monkeypatch.setattr(torch, "_weight_int8pack_mm", product)
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: processor)
        quantize._byte_product.cache_clear()
        return quantize._byte_product()

    try:
        assert [found(product) for product in (None, fails, without_scale)] == [None, None, None]
        assert found(right) is right
        assert found(right, "DEFAULT") is None, "slow there"
    finally:
        quantize._byte_product.cache_clear()


def test_an_embedding_gives_one_vector_as_it_gives_many() -> None:
    embedding = Int8Embedding(*quantize_rows(torch.randn(9, 16, generator=torch.Generator().manual_seed(6))))
    assert torch.equal(embedding.vector(4), embedding(torch.tensor([4]))[0])


# -- models ---------------------------------------------------------------------------------------------------


def quantized(model: GPT) -> GPT:
    """A fresh model with the int8 weights of another."""
    fresh = GPT(model.config, model.vocab_size)
    load_quantized(fresh, quantize_weights(model, model.state_dict()))
    return fresh.eval()


ARCHITECTURES = [
    {},
    {"tie_embeddings": False},
    {"norm": "layernorm", "position": "learned", "mlp": "gelu"},
    {"norm": "scalenorm", "mlp": "swiglu", "n_kv_head": 2, "bias": False},
    {"bias": False, "qkv_bias": True, "mlp": "relu"},
    {"head_dim": 24, "n_kv_head": 2},
]


@pytest.mark.parametrize("settings", ARCHITECTURES, ids=lambda s: "-".join(map(str, s.values())) or "default")
def test_logits_stay_close_for_every_architecture(make_model: Make, way: str, settings: dict[str, Any]) -> None:
    model = make_model(300, **settings)
    small = quantized(model)
    tokens = torch.randint(0, 300, (3, 20), generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        wanted, found = model.logits(model(tokens)), small.logits(small(tokens))
    assert float((found - wanted).norm() / wanted.norm()) < 0.08
    assert float((found.argmax(-1) == wanted.argmax(-1)).float().mean()) > 0.85


def test_what_becomes_int8(make_model: Make) -> None:
    model = make_model(300, position="learned", tie_embeddings=False)
    weights = quantize_weights(model, model.state_dict())
    matrices = {name for name, p in model.named_parameters() if p.ndim == 2 and not name.startswith("position")}
    assert {name.removesuffix(".int8") for name in weights if name.endswith(".int8")} == matrices
    for name in matrices:
        assert weights[f"{name}.int8"].dtype == torch.int8
        assert tuple(weights[name.removesuffix("weight") + "scale"].shape) == (len(weights[f"{name}.int8"]), 1)
        assert name not in weights
    for name, tensor in model.state_dict().items():
        if name not in matrices:
            assert torch.equal(weights[name], tensor)
    assert is_quantized(weights)
    assert not is_quantized(model.state_dict())


def test_no_fp32_matrix_is_left_in_a_quantized_model(make_model: Make) -> None:
    small = quantized(make_model(300))
    assert isinstance(small.embed, Int8Embedding)
    assert not [m for m in small.modules() if isinstance(m, torch.nn.Linear | torch.nn.Embedding)]
    assert all(parameter.ndim < 2 for parameter in small.parameters())


def test_it_answers_from_a_checkpoint_as_from_memory(
    make_model: Make, words: Tokenizer, tmp_path: Path, way: str
) -> None:
    model = make_model(words.vocab_size, n_embd=64)
    state = {"step": 7, "config": Config().update(model=model.config.model_dump()).to_dict()}
    size = {}
    for name, weights in (("fp32", model.state_dict()), ("int8", quantize_weights(model, model.state_dict()))):
        checkpoint.save(tmp_path / name, state, words.to_json(), weights)
        size[name] = load_model(tmp_path / name).bytes
    assert 0.24 < size["int8"] / size["fp32"] < 0.32
    loaded = load_model(tmp_path / "int8")
    assert loaded.step == 7
    prompts = [[words.bos, *words.encode(text)] for text in ("水", "鲸是什么？", "hello")]
    sampling = SamplingConfig(max_new_tokens=10)
    assert list(answer_batch(loaded.model, words, prompts, sampling)) == list(
        answer_batch(quantized(model), words, prompts, sampling)
    )


Change = Callable[[dict[str, Tensor]], object]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda w: w.pop("embed.weight.int8"), "embed.weight.int8"),
        (lambda w: w.pop("blocks.1.mlp.up.scale"), "blocks.1.mlp.up.scale"),
        (lambda w: w.pop("blocks.0.attn.qkv.bias"), "blocks.0.attn.qkv.bias"),
        (lambda w: w.pop("norm.weight"), "norm.weight"),
        (lambda w: w.update({"embed.weight.int8": w["embed.weight.int8"][:-1]}), "embed"),
        (lambda w: w.update({"embed.scale": w["embed.scale"][:-1]}), "embed"),
        (lambda w: w.update({"embed.scale": w["embed.scale"].flatten()}), "embed"),
        (lambda w: w.update({"blocks.0.mlp.up.weight.int8": w["blocks.0.mlp.up.weight.int8"].float()}), "float32"),
        (lambda w: w.update({"blocks.0.mlp.up.weight.int8": w["blocks.0.mlp.up.weight.int8"].T}), "mlp.up"),
        (lambda w: w.update({"norm.weight": torch.ones(3)}), "norm.weight"),
        (lambda w: w.update({"surprise": torch.ones(3)}), "surprise"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(
    make_model: Make, words: Tokenizer, tmp_path: Path, change: Change, named: str
) -> None:
    model = make_model(words.vocab_size)
    weights = quantize_weights(model, model.state_dict())
    change(weights)
    with pytest.raises((KeyError, ValueError, RuntimeError)) as problem:
        load_quantized(GPT(model.config, model.vocab_size), weights)
    assert named in str(problem.value)
    state = {"step": 0, "config": Config().update(model=model.config.model_dump()).to_dict()}
    checkpoint.save(tmp_path / "int8", state, words.to_json(), weights)
    with pytest.raises(CheckpointError, match="does not fit") as refused:
        load_model(tmp_path / "int8")
    assert "\n" not in str(refused.value)


def test_scales_that_cancel_out_still_give_finite_numbers(way: str) -> None:
    layer = Int8Linear(*quantize_rows(torch.zeros(4, 8)), None)
    out = layer(torch.full((2, 8), 1e30))
    assert out.tolist() == [[0.0] * 4] * 2
    assert not math.isnan(float(layer(torch.zeros(1, 8)).sum()))
