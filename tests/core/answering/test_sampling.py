"""From logits to a token: every filter against its definition."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from core.sampling import choose, keep_top_k, keep_top_p, penalize_repetition
from core.schema import SamplingConfig

NONE = torch.tensor([], dtype=torch.long)


def of(*probabilities: float) -> Tensor:
    """Logits with these probabilities."""
    return torch.tensor(probabilities).log()


def kept(logits: Tensor) -> list[int]:
    return torch.isfinite(logits).nonzero().flatten().tolist()


def config(**settings: object) -> SamplingConfig:
    return SamplingConfig.model_validate(settings)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


some_logits = st.lists(st.floats(-20, 20, width=32), min_size=2, max_size=40).map(torch.tensor)


# -- top-p --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p", "tokens"),
    [(1e-9, [2]), (0.3, [2]), (0.49, [2]), (0.51, [0, 2]), (0.79, [0, 2]), (0.81, [0, 2, 3]), (0.96, [0, 1, 2, 3])],
)
def test_top_p_keeps_the_token_that_crosses_it(p: float, tokens: list[int]) -> None:
    assert kept(keep_top_p(of(0.3, 0.05, 0.5, 0.15), p)) == tokens


def test_top_p_of_a_flat_distribution_is_no_way_back_to_all() -> None:
    """Seeds that found nothing below p sampled from everything instead."""
    assert len(kept(keep_top_p(torch.zeros(1000), 0.0005))) == 1
    assert len(kept(keep_top_p(torch.zeros(1000), 0.25))) in (250, 251)


def test_top_p_of_one_keeps_all() -> None:
    logits = of(0.999999, 1e-30, 1e-6)
    assert keep_top_p(logits, 1.0) is logits


def test_top_p_brings_no_forbidden_token_back() -> None:
    logits = torch.tensor([1.0, -math.inf, 0.5, -math.inf])
    assert kept(keep_top_p(logits, 0.999)) == [0, 2]
    assert kept(keep_top_p(logits, 0.01)) == [0]


@given(some_logits, st.floats(0.01, 0.99))
def test_top_p_is_the_smallest_likeliest_set_that_reaches_p(logits: Tensor, p: float) -> None:
    filtered = keep_top_p(logits, p)
    inside = kept(filtered)
    probabilities = logits.double().softmax(0)
    assert inside
    assert torch.equal(filtered[inside], logits[inside])
    assert float(probabilities[inside].sum()) >= p - 1e-5
    assert float(probabilities[inside].sum() - probabilities[inside].min()) < p + 1e-5
    outside = [i for i in range(len(logits)) if i not in inside]
    if outside:
        assert float(logits[outside].max()) <= float(logits[inside].min())


# -- top-k --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("k", "tokens"),
    [(1, [1]), (2, [1, 2, 4]), (3, [1, 2, 4]), (4, [0, 1, 2, 4]), (5, [0, 1, 2, 3, 4]), (9, [0, 1, 2, 3, 4])],
)
def test_top_k_keeps_ties_together(k: int, tokens: list[int]) -> None:
    """Which of equally likely tokens fall out must not depend on their numbers."""
    assert kept(keep_top_k(torch.tensor([0.0, 5.0, 3.0, -1.0, 3.0]), k)) == tokens


def test_top_k_of_more_than_are_allowed_allows_no_more() -> None:
    logits = torch.tensor([1.0, -math.inf, 0.0, -math.inf, -math.inf])
    assert kept(keep_top_k(logits, 4)) == [0, 2]


@given(some_logits, st.integers(1, 50))
def test_top_k_keeps_the_largest(logits: Tensor, k: int) -> None:
    filtered = keep_top_k(logits, k)
    border = logits.sort(descending=True).values[min(k, len(logits)) - 1]
    assert kept(filtered) == (logits >= border).nonzero().flatten().tolist()


# -- repetition ---------------------------------------------------------------------------------------------


def test_penalty_lowers_positive_and_negative_logits_alike() -> None:
    logits = torch.tensor([2.0, -2.0, 3.0, -3.0, 0.0])
    out = penalize_repetition(logits, torch.tensor([0, 1, 4]), 2.0)
    assert out.tolist() == [1.0, -4.0, 3.0, -3.0, 0.0]
    assert logits.tolist() == [2.0, -2.0, 3.0, -3.0, 0.0], "the caller's logits must not change"


def test_penalty_counts_a_token_once_however_often_it_was_used() -> None:
    out = penalize_repetition(torch.tensor([8.0, 1.0]), torch.tensor([0, 0, 0]), 2.0)
    assert out.tolist() == [4.0, 1.0]


def test_penalty_of_one_or_nothing_used_changes_nothing() -> None:
    logits = torch.tensor([2.0, -2.0])
    assert penalize_repetition(logits, torch.tensor([0]), 1.0) is logits
    assert penalize_repetition(logits, NONE, 3.0) is logits


def test_penalty_keeps_forbidden_tokens_forbidden() -> None:
    out = penalize_repetition(torch.tensor([-math.inf, 1.0]), torch.tensor([0]), 0.5)
    assert out.tolist() == [-math.inf, 1.0]


@given(some_logits, st.floats(1.01, 10.0), st.data())
def test_penalized_tokens_get_less_likely_never_likelier(logits: Tensor, penalty: float, data: st.DataObject) -> None:
    used = data.draw(st.sets(st.integers(0, len(logits) - 1), min_size=1))
    out = penalize_repetition(logits, torch.tensor(sorted(used)), penalty)
    for i in range(len(logits)):
        assert float(out[i]) <= float(logits[i])
        if abs(float(logits[i])) < 1e-37 and i in used:
            continue  # zero, or so small that a division rounds back to it
        assert (float(out[i]) == float(logits[i])) == (i not in used)


def test_penalty_acts_in_the_choice() -> None:
    logits = torch.tensor([3.0, 2.9, -5.0])
    assert choose(logits, torch.tensor([0]), config(repetition_penalty=1.2), None) == 1
    negative = torch.tensor([-2.0, -2.1, -9.0])
    assert choose(negative, torch.tensor([0]), config(repetition_penalty=1.2), None) == 1


# -- the choice ---------------------------------------------------------------------------------------------


@given(some_logits)
def test_temperature_zero_is_the_likeliest(logits: Tensor) -> None:
    for more in ({}, {"top_k": 2}, {"top_p": 0.1}, {"top_k": 1, "top_p": 1e-6}):
        assert choose(logits, NONE, config(temperature=0.0, **more), None) == int(logits.argmax())


@pytest.mark.parametrize("temperature", [1e-300, 1e-38, 1e-10, 1e-4, 1e-3])
def test_tiny_temperatures_are_greedy_and_do_not_overflow(temperature: float) -> None:
    logits = torch.tensor([-80.0, 79.0, 80.0, -math.inf, 1.0])
    for seed in range(20):
        assert choose(logits, NONE, config(temperature=temperature), generator(seed)) == 2


def test_draws_follow_the_probabilities() -> None:
    logits = of(0.6, 0.3, 0.1)
    draw = generator()
    counts = Counter(choose(logits, NONE, config(temperature=1.0), draw) for _ in range(4000))
    for token, share in enumerate((0.6, 0.3, 0.1)):
        assert abs(counts[token] / 4000 - share) < 0.03


def test_temperature_sharpens_before_the_nucleus_is_cut() -> None:
    """At temperature 0.5 the probabilities are 0.8, 0.2 instead of 2/3, 1/3."""
    logits = of(2 / 3, 1 / 3)
    draw = generator()
    assert {choose(logits, NONE, config(temperature=0.5, top_p=0.75), draw) for _ in range(200)} == {0}
    assert {choose(logits, NONE, config(temperature=1.0, top_p=0.75), draw) for _ in range(200)} == {0, 1}


def test_filters_hold_at_high_temperature() -> None:
    logits = of(0.4, 0.3, 0.2, 0.1)
    draw = generator()
    for settings, allowed in (({"top_k": 1}, {0}), ({"top_k": 2}, {0, 1}), ({"top_p": 0.2}, {0}), ({}, {0, 1, 2, 3})):
        made = config(temperature=10.0, **settings)
        assert {choose(logits, NONE, made, draw) for _ in range(300)} == allowed


def test_forbidden_tokens_are_never_drawn() -> None:
    logits = torch.tensor([0.0, -math.inf, -math.inf, 0.0])
    draw = generator()
    assert {choose(logits, NONE, config(temperature=10.0), draw) for _ in range(300)} == {0, 3}


def test_the_same_generator_state_draws_the_same() -> None:
    logits = torch.zeros(1000)
    first = [choose(logits, NONE, config(temperature=1.0), generator(7)) for _ in range(3)]
    assert len(set(first)) == 1
    draw = generator(7)
    assert len({choose(logits, NONE, config(temperature=1.0), draw) for _ in range(10)}) > 5


def test_a_nucleus_of_next_to_nothing_is_the_likeliest_token() -> None:
    kept = keep_top_p(torch.tensor([0.1, 2.0, 1.0]), 3e-157)
    assert kept.isfinite().tolist() == [False, True, False]


def test_the_nucleus_that_reaches_p_exactly_is_enough() -> None:
    kept = keep_top_p(torch.zeros(4), 0.5).isfinite()
    assert int(kept.sum()) == 2


def test_low_temperatures_differ() -> None:
    """exp(0.1 / 0.02): 1 draw in 150 is not the likeliest; at 0.1 it would be every fourth."""
    logits, draws = torch.tensor([1.0, 0.9]), generator()
    settings = config(temperature=0.02)
    drawn = [choose(logits, NONE, settings, draws) for _ in range(300)]
    assert 0 < sum(drawn) < 15
