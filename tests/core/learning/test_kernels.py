"""The hand-written derivatives against the plain formula and autograd."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.kernels import dropout, rms_norm, rotate
from core.model import rope_table


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def rms_norm_formula(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return x / torch.sqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight


def rotate_formula(x: Tensor, table: Tensor) -> Tensor:
    """Each pair (i, i + half) as a point in the plane, turned."""
    half = x.shape[-1] // 2
    cos, sin = table[0, ..., :half], table[1, ..., half:]
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)


@pytest.mark.parametrize("shape", [(3, 16), (2, 5, 16), (2, 3, 4, 8)])
@pytest.mark.parametrize("eps", [1e-6, 1e-2])
def test_rms_norm_is_its_formula(shape: tuple[int, ...], eps: float) -> None:
    x, weight = normal(*shape, dtype=torch.float32), normal(shape[-1], seed=1, dtype=torch.float32)
    torch.testing.assert_close(rms_norm(x, weight, eps), rms_norm_formula(x, weight, eps), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_rms_norm_has_the_gradients_of_its_formula(dtype: torch.dtype) -> None:
    given, gain, onward = normal(4, 7, 32) * 3 + 1, normal(32, seed=1), normal(4, 7, 32, seed=2)
    expected = []
    x, weight = given.clone().requires_grad_(), gain.clone().requires_grad_()
    out = rms_norm_formula(x, weight, 1e-5)
    expected = [out, *torch.autograd.grad((out * onward).sum(), [x, weight])]
    x, weight = given.to(dtype).requires_grad_(), gain.to(dtype).requires_grad_()
    out = rms_norm(x, weight, 1e-5)
    found = [out, *torch.autograd.grad((out * onward.to(dtype)).sum(), [x, weight])]
    assert all(tensor.dtype == dtype for tensor in found)
    rtol, atol = (1e-4, 1e-5) if dtype == torch.float32 else (0.03, 0.06)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=rtol, atol=atol)


def test_rms_norm_of_zeros_is_zero_and_has_a_finite_gradient() -> None:
    x = torch.zeros(2, 8, requires_grad=True)
    out = rms_norm(x, torch.ones(8), 1e-6)
    out.sum().backward()
    assert not out.any()
    assert x.grad is not None
    assert bool(x.grad.isfinite().all())


def test_rms_norm_in_bf16_does_not_overflow_where_a_sum_of_squares_in_bf16_would_lose_its_tail() -> None:
    x = torch.ones(1, 4096, dtype=torch.bfloat16)  # adding 1 to 256 in bf16 gives 256
    torch.testing.assert_close(rms_norm(x, torch.ones(4096, dtype=torch.bfloat16), 1e-6), x)


def test_rotation_is_its_formula_and_keeps_lengths() -> None:
    x = normal(2, 6, 3, 8, dtype=torch.float32)
    table = rope_table(6, 8, 10000.0).unsqueeze(-2)
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            out = rotate(x, table)
        torch.testing.assert_close(out, rotate_formula(x, table), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(out.norm(dim=-1), x.norm(dim=-1), rtol=1e-5, atol=0)
        assert torch.equal(out[:, 0], x[:, 0])  # position 0 stays as it is


def test_rotation_has_the_gradient_of_its_formula() -> None:
    given, onward = normal(2, 6, 3, 8, dtype=torch.float32), normal(2, 6, 3, 8, seed=1, dtype=torch.float32)
    table = rope_table(6, 8, 100.0).unsqueeze(-2)
    grads = []
    for function in (rotate, rotate_formula):
        x = given.clone().requires_grad_()
        grads += torch.autograd.grad((function(x, table) * onward).sum(), [x])
    torch.testing.assert_close(grads[0], grads[1], rtol=1e-5, atol=1e-6)


def test_rotation_may_differ_from_row_to_row() -> None:
    x = normal(2, 6, 3, 8, dtype=torch.float32)
    table = rope_table(20, 8, 100.0)
    positions = torch.stack([torch.arange(6), torch.arange(6) + 9])
    out = rotate(x, table[:, positions].unsqueeze(-2))
    for row, begin in enumerate((0, 9)):
        alone = rotate(x[row : row + 1], table[:, begin : begin + 6].unsqueeze(-2))
        torch.testing.assert_close(out[row : row + 1], alone)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_dropout_drops_its_share_and_keeps_the_mean(share: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    x = torch.ones(1000, 333, dtype=dtype)
    out = dropout(x, share)
    assert out.dtype == dtype
    assert float((out == 0).float().mean()) == pytest.approx(share, abs=0.005)  # rounded to 1/256
    kept = out[out != 0].float()
    assert float(kept.min()) == float(kept.max())
    assert float(kept[0]) == pytest.approx(1 / (1 - share), rel=0.03)
    assert float(out.float().mean()) == pytest.approx(1.0, abs=0.01)


def test_dropout_decides_for_each_number_alone() -> None:
    torch.manual_seed(0)
    dropped = dropout(torch.ones(500, 600), 0.3) == 0
    for along in (0, 1):
        assert float(dropped.float().mean(along).std()) < 0.05  # rows and columns all lose about the same
    neighbours = (dropped[:, 1:] & dropped[:, :-1]).float().mean()
    assert float(neighbours) == pytest.approx(0.09, abs=0.01)


def test_dropout_passes_the_gradient_where_it_kept() -> None:
    torch.manual_seed(0)
    x = normal(50, 7, dtype=torch.float32).requires_grad_()
    out = dropout(x, 0.5)
    (grad,) = torch.autograd.grad(out.sum(), [x])
    torch.testing.assert_close(grad, torch.where(out == 0, 0.0, 2.0))
    torch.testing.assert_close(out, x * grad)


def test_dropout_is_repeatable_by_the_seed_and_differs_otherwise() -> None:
    def drawn(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return dropout(torch.ones(100), 0.5)

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


@pytest.mark.parametrize("count", [1, 7, 8, 9, 64])
def test_dropout_of_any_number_of_numbers(count: int) -> None:
    assert dropout(torch.ones(count), 0.5).shape == (count,)
