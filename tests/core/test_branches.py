"""Rows that begin alike as one row with branches: nothing of them is lost, and nothing of what is computed differs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.batches import collate
from core.branches import hidden_between, join_beginnings, places_of
from core.dataset import Dataset, RowStats
from core.model import GPT
from core.prompt_loss import losses
from core.schema import ModelConfig

VOCABULARY = 30


def rows_of(*rows: tuple[Sequence[int], int]) -> Dataset:
    """Rows of tokens, each with how many of them are given."""
    lengths = [len(tokens) for tokens, _given in rows]
    return Dataset(
        np.asarray([token for tokens, _given in rows for token in tokens], np.int32),
        np.asarray([place >= given for tokens, given in rows for place in range(len(tokens))], np.bool_),
        np.cumsum([0, *lengths[:-1]], dtype=np.int64),
        np.asarray(lengths, np.int32),
        RowStats(rows=len(rows)),
    )


def apart(joined: Dataset) -> list[tuple[list[int], list[bool]]]:
    """The rows that joined ones were made of."""
    assert joined.branches is not None
    found = []
    for start, length in zip(joined.starts, joined.lengths, strict=True):
        part = slice(start, start + length)
        tokens, learn, branch = joined.tokens[part], joined.learn[part], joined.branches[part]
        for number in sorted(set(branch.tolist()) - {0}):
            own = (branch == 0) | (branch == number)
            found.append((tokens[own].tolist(), learn[own].tolist()))
    return found


PASSAGE = [1, 2, 3, 4, 5, 6]
QUESTIONS = rows_of(
    ([*PASSAGE, 7, 8, 20, 0], 8),
    ([*PASSAGE, 7, 9, 10, 21, 0], 9),
    ([*PASSAGE, 11, 22, 23, 24, 0], 7),
    ([12, 13, 14, 15, 20, 0], 4),
)


def test_a_passage_stands_once_and_each_question_is_a_branch() -> None:
    joined = join_beginnings(QUESTIONS, 6, 100)
    assert joined.branches is not None
    assert joined.lengths.tolist() == [5 + 5 + 6 + 6, 6]
    assert joined.tokens.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 20, 0, 6, 7, 9, 10, 21, 0, 6, 11, 22, 23, 24, 0,
                                      12, 13, 14, 15, 20, 0]  # fmt: skip
    assert joined.branches.tolist() == [0] * 5 + [1] * 5 + [2] * 6 + [3] * 6 + [1] * 6
    assert places_of(joined.branches[:22]).tolist() == [*range(10), *range(5, 11), *range(5, 11)]
    assert joined.supervised_tokens == QUESTIONS.supervised_tokens
    assert joined.stats == QUESTIONS.stats


@pytest.mark.parametrize(
    ("most", "longest", "lengths"), [(2, 100, [15, 11, 6]), (6, 21, [15, 11, 6]), (1, 100, [10, 11, 11, 6])]
)
def test_at_most_so_many_branches_and_tokens(most: int, longest: int, lengths: list[int]) -> None:
    assert join_beginnings(QUESTIONS, most, longest).lengths.tolist() == lengths


def test_rows_with_little_in_common_stay_alone() -> None:
    rows = rows_of(([1, 2, 3, 4, 5, 6, 20], 6), ([1, 2, 13, 14, 15, 16, 20], 6), ([1, 2], 2), ([1, 2], 2))
    joined = join_beginnings(rows, 6, 100)
    assert joined.lengths.tolist() == [7, 7, 3]
    nothing = Dataset(*(np.zeros(0, kind) for kind in (np.int32, np.bool_, np.int64, np.int32)), RowStats())
    assert len(join_beginnings(nothing, 6, 100)) == 0


tokens = st.integers(0, 3)
row = st.tuples(st.lists(tokens, min_size=1, max_size=8), st.lists(tokens, min_size=1, max_size=4))


@given(st.lists(row, min_size=1, max_size=8), st.integers(1, 4), st.integers(12, 40))
def test_nothing_is_lost_and_no_row_too_long(parts: list[tuple[list[int], list[int]]], most: int, longest: int) -> None:
    rows = rows_of(*((first + second, len(first)) for first, second in parts))
    joined = join_beginnings(rows, most, longest)
    assert apart(joined) == [(a + b, [False] * len(a) + [True] * len(b)) for a, b in parts]
    assert joined.lengths.max() <= longest


def model(**changes: object) -> GPT:
    config = ModelConfig(seq_len=32, n_layer=2, n_head=2, n_embd=16, **changes)  # type: ignore[arg-type]
    return GPT(config, VOCABULARY).init_weights(0)


@pytest.mark.parametrize("position", ["rope", "learned"])
@pytest.mark.parametrize("prompts", [False, True], ids=["answers", "prompts too"])
def test_loss_and_gradient_are_those_of_the_rows_alone(
    position: str, prompts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With prompts too, those of the common beginning once: so the rows alone are one here."""
    monkeypatch.setattr("core.prompt_loss.COUNTED", 1.0)
    alone, together = model(position=position), model(position=position)
    questions = rows_of((QUESTIONS.tokens[:10], 8)) if prompts else QUESTIONS  # type: ignore[arg-type]
    for net, rows in ((alone, questions), (together, join_beginnings(questions, 6, 100))):
        batch = collate(rows, np.arange(len(rows)), pad=0)
        if prompts:
            losses(net, batch, 0.1, -1)[0].backward()  # type: ignore[no-untyped-call]
        else:
            loss = net.loss_sum(batch.inputs, batch.targets, batch.positions, batch.hidden)
            loss.backward()  # type: ignore[no-untyped-call]
    for (name, a), b in zip(alone.named_parameters(), together.parameters(), strict=True):
        assert a.grad is not None
        torch.testing.assert_close(b.grad, a.grad, atol=1e-6, rtol=1e-4, msg=name)


def test_what_begins_a_branch_is_not_learnt_from_the_end_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.prompt_loss.COUNTED", 1.0)
    wanted: list[int] = []
    entropy = torch.nn.functional.cross_entropy

    def noted(logits: torch.Tensor, targets: torch.Tensor, reduction: str) -> torch.Tensor:
        wanted.extend(token for token in targets.tolist() if token >= 0)
        return entropy(logits, targets, reduction=reduction)

    monkeypatch.setattr("core.prompt_loss.F.cross_entropy", noted)
    joined = join_beginnings(QUESTIONS, 6, 100)
    losses(model(), collate(joined, np.asarray([0]), pad=0), 0.1, -1)
    assert sorted(wanted) == sorted([2, 3, 4, 5, 6, 7, 8, 20, 0, 7, 9, 10, 21, 0, 11, 22, 23, 24, 0])


def test_a_branch_sees_itself_and_what_is_common() -> None:
    hidden = hidden_between(np.asarray([[0, 1, 1, 2]], np.uint8))[0, 0]
    assert hidden.tolist() == [[False, True, True, True], [False, False, False, True], [False, False, False, True],
                               [False, True, True, False]]  # fmt: skip


def test_as_many_tokens_as_are_allowed_are_joined() -> None:
    """Three rows of 22 tokens together; the third has less in common than the first two."""
    assert join_beginnings(QUESTIONS, 6, 22).lengths.tolist() == [22, 6]


def test_a_row_that_has_more_in_common_than_those_before_it_loses_nothing() -> None:
    """The first and the third are alike for longer than the second is like them."""
    longer, shorter = [1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4, 5, 9]
    rows = rows_of(([*longer, 20], 8), ([*shorter, 21], 6), ([*longer, 22], 8))
    joined = join_beginnings(rows, 6, 100)
    assert joined.lengths.tolist() == [4 + 5 + 3 + 5]
    assert [tokens for tokens, _learn in apart(joined)] == [[*longer, 20], [*shorter, 21], [*longer, 22]]


def test_rows_with_nothing_given_stay_alone() -> None:
    """As windows over texts have them."""
    rows = rows_of(([1, 2, 3], 0), ([1, 2, 3], 0), ([1, 2, 3, 4], 2))
    joined = join_beginnings(rows, 6, 100)
    assert joined.tokens.tolist() == rows.tokens.tolist()
    assert joined.lengths.tolist() == [3, 3, 4]


@pytest.mark.parametrize(("alike", "lengths"), [(4, [7 + 4]), (3, [7, 7])])
def test_half_of_what_is_given_is_enough(alike: int, lengths: list[int]) -> None:
    """Of six tokens three, besides the last that is the same, with which the branches begin."""
    given = [1, 2, 3, 4, 5, 6]
    rows = rows_of(([*given, 20], 6), ([*given[:alike], *[9] * (6 - alike), 21], 6))
    assert join_beginnings(rows, 6, 100).lengths.tolist() == lengths


def test_half_of_the_longest_that_is_given_counts() -> None:
    """The third shares four of its six tokens, but less than half of the first one's ten."""
    first = list(range(1, 11))
    rows = rows_of(([*first, 20], 10), ([*first[:7], 15, 21], 8), ([*first[:5], 16, 22], 6))
    assert join_beginnings(rows, 6, 100).lengths.tolist() == [11 + 3, 7]
