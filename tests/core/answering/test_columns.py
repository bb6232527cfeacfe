"""Matrices that lie by columns: the same answers, whichever way they lie."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch

from core import columns
from core.cache import Cache
from core.decode import Decoder
from core.model import GPT
from core.skeleton import unfilled_model

Make = Callable[..., GPT]
TOKENS = [5, 9, 1, 7, 3, 3, 60, 2, 41, 8]


@pytest.fixture
def by_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "faster", lambda: True)
    monkeypatch.setattr(columns, "SMALLEST", 1)


@pytest.mark.parametrize("shape", [(5, 7), (48, 64), (64, 3), (1, 9), (1024, 256)])
def test_the_product_is_the_product(by_columns: None, shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = columns.empty_matrix(torch.Size(shape), torch.float32)
    matrix.normal_(generator=generator)
    x = torch.randn(shape[1], generator=generator)
    with torch.inference_mode():
        found = columns.vector_product(matrix)(x)
    torch.testing.assert_close(found, (matrix.double() @ x.double()).float(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("norm", ["rmsnorm", "layernorm", "scalenorm"])
@pytest.mark.parametrize("mlp", ["gelu", "swiglu"])
def test_a_loaded_model_decodes_as_it_reads(
    by_columns: None, make_model: Make, bias: bool, tied: bool, norm: str, mlp: str
) -> None:
    fresh = make_model(64, bias=bias, tie_embeddings=tied, norm=norm, mlp=mlp)
    loaded = unfilled_model(fresh.config, 64)
    loaded.load_state_dict(fresh.state_dict())
    loaded.eval()
    assert columns.lies_by_columns(loaded.embed.weight)  # type: ignore[arg-type]
    assert columns.lies_by_columns(loaded.blocks[0].mlp.up.weight)  # type: ignore[union-attr,arg-type]
    with torch.inference_mode():
        expected = fresh.logits(fresh(torch.tensor([TOKENS])))[0]
        torch.testing.assert_close(loaded.logits(loaded(torch.tensor([TOKENS])))[0], expected, rtol=1e-5, atol=1e-6)
        cache = Cache.empty(loaded, 1, len(TOKENS))
        loaded(torch.tensor([TOKENS[:3]]), cache)
        decoder = Decoder(loaded, cache)
        found = torch.stack([decoder.logits(token) for token in TOKENS[3:]])
    torch.testing.assert_close(found, expected[3:], rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def test_what_does_not_lie_so(by_columns: None) -> None:
    """Vectors, other number formats, and one row or column, which lies both ways."""
    for shape, dtype in (((7,), torch.float32), ((4, 6), torch.int8), ((4, 6), torch.bfloat16)):
        assert columns.empty_matrix(torch.Size(shape), dtype).is_contiguous()
    assert not columns.lies_by_columns(torch.ones(1, 5))
    assert not columns.lies_by_columns(torch.ones(5, 1))


def test_small_ones_lie_by_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "faster", lambda: True)
    assert columns.empty_matrix(torch.Size((192, 256)), torch.float32).is_contiguous()
    assert columns.lies_by_columns(columns.empty_matrix(torch.Size((256, 256)), torch.float32))


def test_where_it_is_slower_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "faster", lambda: False)
    assert columns.empty_matrix(torch.Size((512, 512)), torch.float32).is_contiguous()


def test_a_build_without_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise RuntimeError("embedding_bag: not implemented")

    monkeypatch.setattr(torch, "embedding_bag", missing)
    assert columns.faster.__wrapped__() is False


def judged(monkeypatch: pytest.MonkeyPatch, rounds: list[tuple[float, float]]) -> tuple[bool, int]:
    """What ``faster`` makes of rounds that take so many ms by rows and by columns, and how many it looked at."""
    ends = iter([0.0, *itertools.accumulate(time for pair in rounds for time in pair)])
    now, reads = [next(ends)], [0]

    def clock() -> float:
        if reads[0] % 2:  # the end of a measurement
            now[0] = next(ends)
        reads[0] += 1
        return now[0] / 1e3

    monkeypatch.setattr(columns.time, "perf_counter", clock)
    found = columns.faster.__wrapped__()
    return found, reads[0] // 4 - 1


@pytest.mark.parametrize(
    ("rounds", "found", "looks"),
    [
        ([(9, 9)] + [(3, 1.5)] * 9, True, columns.FEWEST_ROUNDS),
        ([(9, 9)] + [(3, 15)] * 5 + [(3, 1.5)] * 4, True, 6),  # both threads shared a core for a while
        ([(9, 9), (30, 2.5)] + [(3, 2.5)] * 8, False, columns.MOST_ROUNDS),  # somebody else had it for a while
        ([(9, 1)] + [(3, 3)] * 8, False, columns.MOST_ROUNDS),  # the first round reads from the disk
    ],
)
def test_a_disturbance_does_not_decide(
    monkeypatch: pytest.MonkeyPatch, rounds: list[tuple[float, float]], found: bool, looks: int
) -> None:
    assert judged(monkeypatch, rounds) == (found, looks)
