"""The model: its size, its fresh loss, and that it computes what the papers say, with and without a cache."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from core import model as model_module
from core.cache import Cache
from core.model import GPT, RMSNorm, ScaleNorm, attend, rope_table
from core.optim import Optimizer
from core.schema import ModelConfig, TrainingConfig
from core.skeleton import count_parameters

NORMS = ("rmsnorm", "layernorm", "scalenorm")
MLPS = ("silu", "gelu", "relu", "swiglu")
POSITIONS = ("rope", "learned")
GPT2 = {"norm": "layernorm", "norm_eps": 1e-5, "mlp": "gelu", "position": "learned"}


def tiny(**changes: Any) -> ModelConfig:
    return ModelConfig(**{"n_layer": 2, "n_head": 4, "n_embd": 32, "seq_len": 24, **changes})


def lively(config: ModelConfig, vocab_size: int = 40, seed: int = 0) -> GPT:
    """A model whose every parameter matters: in a fresh one attention is nearly even and all biases are 0."""
    model = GPT(config, vocab_size).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            start = 1.0 if "norm" in name and not name.endswith("bias") else 0.0
            parameter.normal_(start, 0.2, generator=generator)
    return model


def random_tokens(*shape: int, vocab_size: int = 40, seed: int = 1) -> Tensor:
    return torch.randint(0, vocab_size, shape, generator=torch.Generator().manual_seed(seed))


# -- size ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "vocab_size", "total"),
    [
        (ModelConfig(), 824, 3_368_192),
        (ModelConfig(n_layer=10, n_head=12, n_embd=768, mlp="swiglu"), 1278, 95_469_312),
        (
            ModelConfig(n_layer=2, n_head=4, n_embd=64, seq_len=128, qkv_bias=False, tie_embeddings=False, **GPT2),
            50257,
            6_540_800,
        ),
        (ModelConfig(n_layer=12, n_head=12, n_embd=768, seq_len=1024, **GPT2), 50257, 124_439_808),
    ],
    ids=["teacher", "reader-100m", "pretrain", "gpt2-small"],
)
def test_known_parameter_counts(config: ModelConfig, vocab_size: int, total: int) -> None:
    assert sum(count_parameters(config, vocab_size).values()) == total


@pytest.mark.parametrize(("vocab_size", "width", "layers"), [(824, 256, 4), (300, 32, 1), (2048, 64, 7)])
def test_parameters_of_the_teacher_shape_follow_its_formula(vocab_size: int, width: int, layers: int) -> None:
    parts = count_parameters(ModelConfig(n_layer=layers, n_embd=width), vocab_size)
    assert sum(parts.values()) == vocab_size * width + layers * (12 * width**2 + 11 * width) + width
    assert parts == {
        "embedding": vocab_size * width,
        "position": 0,
        "attention": layers * (4 * width**2 + 4 * width),
        "mlp": layers * (8 * width**2 + 5 * width),
        "norm": (2 * layers + 1) * width,
        "head": 0,
    }


@pytest.mark.parametrize("tied", [True, False])
def test_counts_are_those_of_the_real_model(tied: bool) -> None:
    config = tiny(n_kv_head=2, tie_embeddings=tied, **GPT2)
    real = sum(parameter.numel() for parameter in GPT(config, 40).parameters())
    parts = count_parameters(config, 40)
    assert sum(parts.values()) == real
    assert parts["head"] == (0 if tied else 40 * 32)
    assert parts["position"] == 24 * 32


def test_shared_heads_and_missing_biases_make_attention_smaller() -> None:
    def attention(**changes: Any) -> int:
        return count_parameters(tiny(**changes), 40)["attention"] // 2

    assert attention() == 4 * 32 * 32 + 4 * 32
    assert attention(n_kv_head=1) == (2 * 32 + 2 * 8) * 32 + 2 * 32 + 2 * 8
    assert attention(head_dim=12) == 4 * 32 * 4 * 12 + 3 * 4 * 12 + 32
    assert attention(bias=False) == 4 * 32 * 32
    assert attention(qkv_bias=False) == 4 * 32 * 32 + 32
    assert attention(bias=False, qkv_bias=True) == 4 * 32 * 32 + 3 * 32


@pytest.mark.parametrize("norm", NORMS)
def test_without_biases_there_is_none(norm: str) -> None:
    model = GPT(tiny(norm=norm, bias=False), 40)
    assert not [name for name, _ in model.named_parameters() if name.endswith("bias")]


# -- fresh --------------------------------------------------------------------------------------------------


def check_fresh_loss(config: ModelConfig, vocab_size: int) -> None:
    """Mean loss per token of a fresh model on random text, computed as in training, in either precision."""
    tokens = random_tokens(4, 33, vocab_size=vocab_size)
    model = GPT(config, vocab_size).init_weights(7)
    for dtype in (torch.float32, torch.bfloat16):
        Optimizer(model, TrainingConfig(max_steps=1), dtype)
        assert next(model.parameters()).dtype == dtype
        with torch.no_grad():
            loss = float(model.loss_sum(tokens[:, :-1], tokens[:, 1:])) / 128
        assert loss == pytest.approx(math.log(vocab_size), abs=0.3), dtype


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("width", [64, 256, 768])
@pytest.mark.parametrize("shape", [{}, {"mlp": "swiglu", "norm": "scalenorm"}, GPT2], ids=["seed", "scale", "gpt2"])
def test_fresh_loss_is_that_of_even_chances(width: int, shape: dict[str, Any], tied: bool) -> None:
    config = ModelConfig(n_layer=1 if width > 256 else 3, n_embd=width, tie_embeddings=tied, **shape)
    for vocab_size in (2048,) if width > 256 else (300, 2048):
        check_fresh_loss(config, vocab_size)


@pytest.mark.slow
def test_fresh_loss_at_full_size() -> None:
    check_fresh_loss(ModelConfig(), 2048)
    check_fresh_loss(ModelConfig(n_layer=10, n_head=12, n_embd=768, mlp="swiglu"), 1278)


def test_a_fresh_model_does_not_echo_its_input() -> None:
    model = GPT(ModelConfig(n_layer=2, n_embd=768), 300).init_weights(0).eval()
    tokens = random_tokens(2, 16, vocab_size=300)
    with torch.no_grad():
        chances = model.logits(model(tokens)).softmax(-1)
    assert chances.max() < 0.2


def test_fresh_weights_are_a_function_of_the_seed() -> None:
    first, same, other = (GPT(tiny(), 40).init_weights(seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["embed.weight"], other["embed.weight"])


def test_layers_that_write_into_the_residual_stream_start_smaller() -> None:
    weights = GPT(ModelConfig(n_layer=8, n_embd=64), 300).init_weights(0).state_dict()
    assert float(weights["blocks.0.mlp.up.weight"].std()) == pytest.approx(0.02, rel=0.05)
    for name in ("blocks.3.attn.proj.weight", "blocks.7.mlp.down.weight"):
        assert float(weights[name].std()) == pytest.approx(0.02 / 4, rel=0.05)
    assert not weights["blocks.0.mlp.up.bias"].any()
    assert bool((weights["norm.weight"] == 1).all())


# -- norms --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-2, 1.0, 100.0])
@pytest.mark.parametrize("width", [32, 256])
@pytest.mark.parametrize("norm", [RMSNorm, ScaleNorm])
def test_a_fresh_norm_gives_an_rms_of_one(norm: type[RMSNorm] | type[ScaleNorm], width: int, scale: float) -> None:
    x = torch.randn(5, 7, width, generator=torch.Generator().manual_seed(0)) * scale + scale
    rms = norm(width, 1e-8)(x).pow(2).mean(-1).sqrt()
    torch.testing.assert_close(rms, torch.ones(5, 7), rtol=1e-4, atol=0)


def test_rms_norm_has_a_gain_for_each_number_and_does_not_center() -> None:
    x = torch.tensor([[3.0, 4.0, 0.0, 0.0]])
    norm = RMSNorm(4, 1e-12)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    torch.testing.assert_close(norm(x), torch.tensor([[3 / 2.5, 2 * 4 / 2.5, 0.0, 0.0]]))


def test_scale_norm_has_one_learnt_length_for_all() -> None:
    norm = ScaleNorm(4, 1e-12)
    assert [parameter.numel() for parameter in norm.parameters()] == [1]
    assert float(norm.g.detach()) == pytest.approx(2.0)  # sqrt(width)
    with torch.no_grad():
        norm.g.fill_(10.0)
    torch.testing.assert_close(norm(torch.tensor([[3.0, 4.0, 0.0, 0.0]])), torch.tensor([[6.0, 8.0, 0.0, 0.0]]))


# -- positions ----------------------------------------------------------------------------------------------


def test_rope_turns_pairs_by_their_own_angle() -> None:
    cos, sin = rope_table(8, 6, 100.0)
    for pair in range(3):
        angle = 5 * 100.0 ** (-2 * pair / 6)
        assert float(cos[5, pair]) == pytest.approx(math.cos(angle), abs=1e-6)
        assert float(cos[5, pair + 3]) == pytest.approx(math.cos(angle), abs=1e-6)
        assert float(sin[5, pair + 3]) == pytest.approx(math.sin(angle), abs=1e-6)
        assert float(sin[5, pair]) == pytest.approx(-math.sin(angle), abs=1e-6)


@pytest.mark.parametrize("position", POSITIONS)
def test_the_order_of_tokens_matters(position: str) -> None:
    model = lively(tiny(position=position))
    with torch.no_grad():
        there = model(torch.tensor([[3, 5, 7, 9]]))[0, -1]
        back = model(torch.tensor([[7, 5, 3, 9]]))[0, -1]
    assert (there - back).abs().max() > 1e-2


def test_with_rope_only_distances_count() -> None:
    model, tokens = lively(tiny(position="rope")), random_tokens(1, 9)
    with torch.no_grad():
        moved = model(tokens, positions=torch.arange(9)[None] + 12)
        torch.testing.assert_close(moved, model(tokens), rtol=0, atol=1e-4)


# -- the cache ----------------------------------------------------------------------------------------------


def cached_logits(model: GPT, tokens: Tensor, chunks: list[int]) -> Tensor:
    cache = Cache.empty(model, tokens.shape[0], tokens.shape[1])
    found = [model.logits(model(chunk, cache)) for chunk in tokens.split(chunks, dim=1)]
    return torch.cat(found, dim=1)


@torch.no_grad()
def check_cache(config: ModelConfig) -> None:
    model, tokens = lively(config), random_tokens(3, 11)
    full = model.logits(model(tokens))
    for chunks in ([11], [7, 1, 1, 1, 1], [1] * 11, [4, 4, 3]):
        error = float((cached_logits(model, tokens, chunks) - full).abs().max())
        assert error <= 1e-5, (config, chunks, error)
    # rows of 11, 6 and 9 tokens, padded on the left; the answers go on for 3 tokens more
    lengths, more = [11, 6, 9], random_tokens(3, 3, seed=2)
    padded = torch.zeros_like(tokens)
    hidden = torch.zeros(3, 14, dtype=torch.bool)
    for row, length in enumerate(lengths):
        padded[row, 11 - length :] = tokens[row, :length]
        hidden[row, : 11 - length] = True
    positions = (torch.arange(14)[None] - hidden.sum(1, keepdim=True)).clamp_min(0)
    cache = Cache.empty(model, 3, 14)
    cache.hidden_keys = hidden
    found = [model.logits(model(padded, cache, positions[:, :11]))]
    for at in range(3):
        found.append(model.logits(model(more[:, at : at + 1], cache, positions[:, 11 + at : 12 + at])))
    batched = torch.cat(found, dim=1)
    assert not batched.isnan().any()
    for row, length in enumerate(lengths):
        alone = model.logits(model(torch.cat([tokens[row, :length], more[row]])[None]))[0]
        error = float((batched[row, 11 - length :] - alone).abs().max())
        assert error <= 1e-5, (config, "left padding", length, error)


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("mlp", MLPS)
@pytest.mark.parametrize("norm", NORMS)
def test_cached_equals_full_forward(norm: str, mlp: str, position: str) -> None:
    for kv_heads, bias, tied in itertools.product((None, 2, 1), (True, False), (True, False)):
        check_cache(tiny(norm=norm, mlp=mlp, position=position, n_kv_head=kv_heads, bias=bias, tie_embeddings=tied))


@pytest.mark.parametrize("qkv_bias", [True, False])
def test_cached_equals_full_forward_with_a_choice_of_qkv_bias(qkv_bias: bool) -> None:
    check_cache(tiny(qkv_bias=qkv_bias, bias=not qkv_bias))


@pytest.mark.parametrize("head_dim", [4, 12])
def test_cached_equals_full_forward_with_heads_of_any_width(head_dim: int) -> None:
    for position, kv_heads in itertools.product(POSITIONS, (None, 2)):
        check_cache(tiny(head_dim=head_dim, position=position, n_kv_head=kv_heads))
    check_cache(tiny(n_head=3, head_dim=10))


def test_cached_equals_full_forward_with_fused_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_module, "PLAIN_ATTENTION_UP_TO", {})
    for position, kv_heads in itertools.product(POSITIONS, (None, 1)):
        check_cache(tiny(position=position, n_kv_head=kv_heads))


# -- attention ----------------------------------------------------------------------------------------------


def attention_case(dtype: torch.dtype) -> tuple[list[Tensor], Tensor]:
    generator = torch.Generator().manual_seed(3)
    heads = [torch.randn(2, 3, 10, 8, generator=generator).to(dtype).requires_grad_() for _ in range(3)]
    return heads, torch.full((10, 10), float("-inf"), dtype=dtype).triu_(1)


def formula(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]) + mask, dim=-1) @ v


def test_plain_and_fused_attention_are_the_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    heads, mask = attention_case(torch.float32)
    weight = torch.randn(2, 3, 10, 8, generator=torch.Generator().manual_seed(4))
    results = {}
    for name, limit in (("plain", 100), ("fused", 0)):
        monkeypatch.setattr(model_module, "PLAIN_ATTENTION_UP_TO", {torch.float32: limit})
        out = attend(*heads, mask, 0.0)
        results[name] = (out, *torch.autograd.grad((out * weight).sum(), heads))
    out = formula(*heads, mask)
    expected = (out, *torch.autograd.grad((out * weight).sum(), heads))
    for found in results.values():
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_plain_attention_is_the_formula_in_bf16() -> None:
    heads, mask = attention_case(torch.bfloat16)
    expected = formula(*(head.float() for head in heads), mask.float())
    torch.testing.assert_close(attend(*heads, mask, 0.0).float(), expected, rtol=0.03, atol=0.03)


def test_attention_without_a_mask_looks_everywhere() -> None:
    (q, k, v), _ = attention_case(torch.float32)
    torch.testing.assert_close(attend(q, k, v, None, 0.0), formula(q, k, v, torch.zeros(10, 10)))


@pytest.mark.parametrize("limit", [0, 100], ids=["fused", "plain"])
def test_training_goes_on_after_an_evaluation_of_the_same_length(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An evaluation's mask is kept for the next row of that length; autograd must be able to use it."""
    monkeypatch.setattr(model_module, "PLAIN_ATTENTION_UP_TO", {torch.float32: limit})
    model, tokens = lively(tiny()), random_tokens(2, 9)
    with torch.inference_mode():
        evaluated = float(model.loss_sum(tokens[:, :-1], tokens[:, 1:]))
    loss = model.train().loss_sum(tokens[:, :-1], tokens[:, 1:])
    loss.backward()
    assert float(loss.detach()) == pytest.approx(evaluated, rel=1e-6)


@pytest.mark.parametrize("kv_heads", [1, 2])
def test_shared_heads_are_heads_repeated(kv_heads: int) -> None:
    """Grouped-query attention: query head i uses key head i // group."""
    shared, plain = lively(tiny(n_kv_head=kv_heads)), lively(tiny())
    state = shared.state_dict()
    group = 4 // kv_heads
    for layer in range(2):
        for kind in ("weight", "bias"):
            name = f"blocks.{layer}.attn.qkv.{kind}"
            q, k, v = state[name].split([32, 8 * kv_heads, 8 * kv_heads])
            k, v = (part.unflatten(0, (kv_heads, 8)).repeat_interleave(group, 0).flatten(0, 1) for part in (k, v))
            state[name] = torch.cat([q, k, v])
    plain.load_state_dict(state)
    tokens = random_tokens(2, 9)
    with torch.no_grad():
        torch.testing.assert_close(shared(tokens), plain(tokens), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("limit", [0, 100], ids=["fused", "plain"])
@pytest.mark.parametrize("position", POSITIONS)
def test_a_later_token_changes_nothing_before_it(position: str, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_module, "PLAIN_ATTENTION_UP_TO", {torch.float32: limit})
    model, tokens = lively(tiny(position=position)), random_tokens(2, 12)
    with torch.no_grad():
        before = model.logits(model(tokens))
        for at in (1, 6, 11):
            changed = tokens.clone()
            changed[:, at] = (changed[:, at] + 1) % 40
            after = model.logits(model(changed))
            assert torch.equal(after[:, :at], before[:, :at])
            assert not torch.allclose(after[:, at], before[:, at])


# -- feed-forward -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mlp", MLPS)
def test_feed_forward_is_its_formula(mlp: str) -> None:
    part = lively(tiny(mlp=mlp, mlp_hidden=48)).blocks[0].mlp
    x = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(0))
    inner = F.linear(x, part.up.weight, part.up.bias)
    if mlp == "swiglu":
        gate, value = inner[..., :48], inner[..., 48:]
        inner = gate * torch.sigmoid(gate) * value
    elif mlp == "silu":
        inner = inner * torch.sigmoid(inner)
    elif mlp == "gelu":
        inner = 0.5 * inner * (1 + torch.tanh(math.sqrt(2 / math.pi) * (inner + 0.044715 * inner**3)))
    else:
        inner = inner.clamp_min(0)
    torch.testing.assert_close(part(x), F.linear(inner, part.down.weight, part.down.bias), rtol=1e-5, atol=1e-5)


# -- the loss -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tied", [True, False])
def test_loss_is_the_sum_over_supervised_places(tied: bool) -> None:
    model, tokens = lively(tiny(tie_embeddings=tied)), random_tokens(3, 10)
    targets = random_tokens(3, 10, seed=5)
    targets[torch.rand(3, 10, generator=torch.Generator().manual_seed(6)) < 0.6] = -100
    targets[0, 0] = 7  # the first place, which fills up the rows of the output layer
    with torch.no_grad():
        head = model.embed.weight if tied else model.head.weight
        chances = torch.log_softmax(model(tokens) @ head.T, dim=-1)
        expected = -sum(
            float(chances[row, at, targets[row, at]]) for row in range(3) for at in range(10) if targets[row, at] >= 0
        )
        assert float(model.loss_sum(tokens, targets)) == pytest.approx(expected, rel=1e-5)


def test_nothing_is_learnt_from_what_is_not_supervised() -> None:
    """Fault 16: the loss depends on no target but the supervised, and on no token after the last of them."""
    model, tokens = lively(tiny()), random_tokens(1, 10)
    targets = torch.full((1, 10), -100)
    targets[0, 4] = 7
    changed = tokens.clone()
    changed[0, 5:] = (changed[0, 5:] + 3) % 40
    with torch.no_grad():
        loss = float(model.loss_sum(tokens, targets))
        assert float(model.loss_sum(changed, targets)) == pytest.approx(loss, rel=1e-6)
        targets[0, 4] = 8
        assert abs(float(model.loss_sum(tokens, targets)) - loss) > 1e-3


def test_a_batch_without_supervised_places_has_loss_and_gradient_zero() -> None:
    model = lively(tiny()).train()
    loss = model.loss_sum(random_tokens(2, 6), torch.full((2, 6), -100))
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert not any(p.grad.any() for p in model.parameters() if p.grad is not None)


def test_padding_on_the_right_changes_nothing() -> None:
    model, tokens = lively(tiny()), random_tokens(1, 8)
    targets = random_tokens(1, 8, seed=9)
    with torch.no_grad():
        alone = float(model.loss_sum(tokens, targets))
        padded = float(model.loss_sum(F.pad(tokens, (0, 5)), F.pad(targets, (0, 5), value=-100)))
    assert padded == pytest.approx(alone, rel=1e-6)


# -- dropout ------------------------------------------------------------------------------------------------


def test_dropout_is_for_training_only() -> None:
    """Fault 4: an evaluated model with dropout computes what one without it does."""
    config = tiny(dropout=0.5)
    dropping, plain = lively(config), lively(tiny())
    tokens = random_tokens(2, 9)
    with torch.no_grad():
        assert torch.equal(dropping(tokens), plain(tokens))
        dropping.train()
        assert not torch.allclose(dropping(tokens), dropping(tokens))
        dropping.eval()
        assert torch.equal(dropping(tokens), plain(tokens))


def test_masks_of_all_lengths_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.model.MOST_MASKS", 5000)
    model = GPT(ModelConfig(n_layer=1, n_head=1, n_embd=8, seq_len=100), 20)
    tokens = torch.zeros(1, 100, dtype=torch.long)
    whole = model(tokens)
    for length in range(1, 100):
        assert torch.allclose(model(tokens[:, :length]), whole[:, :length], atol=1e-6)
        assert sum(mask.numel() for mask in model._masks.values()) <= 100**2
