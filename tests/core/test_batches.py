"""Token rows to batches: each row once, in an order that only seed and epoch decide."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from core.batches import (
    IGNORE,
    LONG,
    LONG_WIDTHS,
    POOL,
    WIDTHS,
    batches_per_epoch,
    collate,
    epoch_order,
    evaluation_batches,
    split_rows,
)
from core.dataset import Dataset, RowStats, build_dataset
from core.records import Record, Turn
from core.template import TEMPLATES
from core.tokenizer import Tokenizer

Lengths = npt.NDArray[np.int32]

lengths_of_rows = st.lists(st.integers(2, 50), max_size=150).map(lambda found: np.array(found, dtype=np.int32))
seeds, epochs, sizes = st.integers(0, 2**31 - 1), st.integers(0, 10_000), st.integers(1, 9)


@pytest.fixture(scope="module")
def dataset(bpe: Tokenizer) -> Dataset:
    records = [Record(turns=(Turn("问" * (i % 7 + 1), "答" * (i * i % 11 + 1)),)) for i in range(53)]
    return build_dataset(records, bpe, TEMPLATES["teacher"], 64)


def flat(batches: list[npt.NDArray[np.int64]]) -> list[int]:
    return [int(row) for batch in batches for row in batch]


# --- order


@given(lengths=lengths_of_rows, size=sizes, seed=seeds, epoch=epochs)
def test_every_row_comes_exactly_once_in_an_epoch(lengths: Lengths, size: int, seed: int, epoch: int) -> None:
    batches = epoch_order(lengths, size, seed, epoch)
    assert sorted(flat(batches)) == list(range(len(lengths)))
    assert all(1 <= len(batch) <= size for batch in batches)
    assert sum(len(batch) < size for batch in batches) <= 1
    assert len(batches) == batches_per_epoch(len(lengths), size)


@given(lengths=lengths_of_rows, size=sizes, seed=seeds, epoch=epochs)
def test_order_is_a_pure_function_of_seed_and_epoch(lengths: Lengths, size: int, seed: int, epoch: int) -> None:
    before = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # type: ignore[index]
    first = epoch_order(lengths, size, seed, epoch)
    epoch_order(lengths, size, seed, epoch + 1)
    np.random.default_rng().random(3)
    assert flat(epoch_order(lengths.copy(), size, seed, epoch)) == flat(first)
    after = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # type: ignore[index]
    assert before == after


def test_seeds_and_epochs_change_the_order() -> None:
    lengths = np.full(60, 5, dtype=np.int32)
    orders = {tuple(flat(epoch_order(lengths, 4, seed, epoch))) for seed in (0, 1, 2) for epoch in (0, 1, 2)}
    assert len(orders) == 9


def test_order_is_the_same_in_another_process(python: Callable[..., subprocess.Popen[str]]) -> None:
    process = python(
        "import numpy as np; from core.batches import epoch_order;"
        "print([int(r) for b in epoch_order(np.arange(2, 40, dtype=np.int32), 4, 42, 3) for r in b])"
    )
    out, _ = process.communicate(timeout=60)
    assert out.strip() == str(flat(epoch_order(np.arange(2, 40, dtype=np.int32), 4, 42, 3)))


def test_rows_of_a_batch_have_like_lengths() -> None:
    lengths = np.random.default_rng(0).integers(2, 100, 640).astype(np.int32)

    def padding(batches: list[npt.NDArray[np.int64]]) -> float:
        return 1 - sum(lengths[b].sum() for b in batches) / sum(lengths[b].max() * len(b) for b in batches)

    unsorted = [np.arange(i, i + 8) for i in range(0, 640, 8)]
    assert padding(unsorted) > 0.3
    assert padding(epoch_order(lengths, 8, 0, 0)) < 0.06


def test_long_and_short_batches_come_mixed() -> None:
    lengths = np.arange(2, 2 + 8 * POOL, dtype=np.int32)  # one pool, sorted: the batches must not be
    means = [lengths[batch].mean() for batch in epoch_order(lengths, 8, 0, 0)]
    assert means != sorted(means)
    assert means != sorted(means, reverse=True)


@given(lengths=lengths_of_rows, size=sizes, seed=seeds, world=st.integers(1, 6))
@example(lengths=np.array([3], dtype=np.int32), size=1, seed=0, world=4)
def test_ranks_share_the_batches_of_one_common_order(lengths: Lengths, size: int, seed: int, world: int) -> None:
    alone = epoch_order(lengths, size, seed, 0)
    ranks = [epoch_order(lengths, size, seed, 0, rank, world) for rank in range(world)]
    assert len({len(batches) for batches in ranks}) == 1  # or some would wait for the others for ever
    together = [ranks[i % world][i // world] for i in range(world * len(ranks[0]))]
    assert flat(together[: len(alone)]) == flat(alone)
    assert len(together) - len(alone) < world
    assert set(flat(together)) == set(range(len(lengths)))


# --- batches


def test_inputs_and_targets_are_the_row_one_place_apart(dataset: Dataset) -> None:
    rows = np.array([3, 40, 11])
    batch = collate(dataset, rows, pad=0)
    assert batch.inputs.dtype == batch.targets.dtype == torch.int64
    assert batch.inputs.shape == batch.targets.shape
    assert len(batch.inputs) == 3
    for i, row in enumerate(rows):
        part = slice(dataset.starts[row], dataset.starts[row] + dataset.lengths[row])
        tokens, learn = dataset.tokens[part].tolist(), dataset.learn[part].tolist()
        length = len(tokens) - 1
        assert batch.inputs[i, :length].tolist() == tokens[:-1]
        assert batch.targets[i, :length].tolist() == [
            token if to_learn else IGNORE for token, to_learn in zip(tokens[1:], learn[1:], strict=True)
        ]
        assert set(batch.inputs[i, length:].tolist()) <= {0}
        assert set(batch.targets[i, length:].tolist()) <= {IGNORE}


def test_places_are_counted_without_padding(dataset: Dataset) -> None:
    batch = collate(dataset, np.array([0, 10]), pad=0)
    assert batch.real_tokens == int(dataset.lengths[[0, 10]].sum()) - 2
    assert batch.real_tokens < batch.inputs.numel()
    assert batch.supervised == sum(collate(dataset, np.array([i]), pad=0).supervised for i in (0, 10))


@given(rows=st.lists(st.integers(0, 52), min_size=1, max_size=8))
def test_a_batch_is_no_wider_than_its_rows_need(dataset: Dataset, rows: list[int]) -> None:
    need = int(dataset.lengths[rows].max()) - 1
    width = collate(dataset, np.array(rows), pad=0).inputs.shape[1]
    assert need <= width < need + WIDTHS
    assert width <= dataset.lengths.max() - 1 <= 64  # it must fit the model
    assert width % WIDTHS == 0 or width == dataset.lengths.max() - 1


@pytest.mark.parametrize(("longest", "width"), [(LONG, LONG), (LONG + 1, LONG + LONG_WIDTHS), (LONG + 17, LONG + 32)])
def test_long_batches_come_in_fewer_widths(longest: int, width: int) -> None:
    lengths = np.array([longest + 1, 400], dtype=np.int32)
    total = int(lengths.sum())
    tokens, learn = np.arange(total, dtype=np.int32), np.ones(total, dtype=bool)
    long = Dataset(tokens, learn, np.array([0, longest + 1]), lengths, RowStats())
    assert collate(long, np.array([0]), pad=0).inputs.shape[1] == width


def test_the_pad_token_may_be_the_end_token(dataset: Dataset, bpe: Tokenizer) -> None:
    rows = np.arange(20)
    one, other = collate(dataset, rows, pad=bpe.pad), collate(dataset, rows, pad=bpe.eos)
    assert torch.equal(one.targets, other.targets)
    assert one.supervised == other.supervised


@given(lengths=st.integers(1, 40), micro=st.none() | st.integers(1, 50))
def test_micro_batches_are_the_rows_of_the_batch(lengths: int, micro: int | None) -> None:
    rows = np.random.default_rng(0).permutation(lengths)
    pieces = split_rows(rows, micro)
    assert flat(pieces) == rows.tolist()
    assert all(len(piece) <= (micro or lengths) for piece in pieces)
    assert len(pieces) == -(-lengths // (micro or lengths))


@given(micro=st.integers(1, 12), seed=seeds)
def test_k_micro_batches_hold_the_tokens_of_one_batch(dataset: Dataset, micro: int, seed: int) -> None:
    """Faults 5 and 6: what is divided by must be the tokens of all micro-batches, not of one."""
    rows = epoch_order(dataset.lengths, 12, seed, 0)[0]
    whole = collate(dataset, rows, pad=0)
    pieces = [collate(dataset, piece, pad=0) for piece in split_rows(rows, micro)]
    assert sum(piece.supervised for piece in pieces) == whole.supervised
    assert sum(piece.real_tokens for piece in pieces) == whole.real_tokens
    targets = torch.cat([piece.targets[piece.targets != IGNORE] for piece in pieces])
    assert torch.equal(targets, whole.targets[whole.targets != IGNORE])


@pytest.mark.parametrize("size", [1, 8, 1000])
def test_an_evaluation_sees_every_supervised_token_once(dataset: Dataset, size: int) -> None:
    batches = list(evaluation_batches(dataset, size, pad=0))
    assert sum(len(batch.inputs) for batch in batches) == len(dataset)
    assert sum(batch.supervised for batch in batches) == dataset.supervised_tokens
    widths = [batch.inputs.shape[1] for batch in batches]
    assert widths == sorted(widths)


def test_an_epoch_of_no_rows_has_no_batches() -> None:
    assert epoch_order(np.zeros(0, dtype=np.int32), 4, 0, 0) == []
    assert epoch_order(np.zeros(0, dtype=np.int32), 4, 0, 0, 1, 2) == []
    assert batches_per_epoch(0, 4) == 0


def _rows_of_lengths(*lengths: int) -> Dataset:
    total = sum(lengths)
    starts = np.cumsum([0, *lengths[:-1]], dtype=np.int64)
    return Dataset(
        np.arange(total, dtype=np.int32), np.ones(total, dtype=bool), starts, np.array(lengths, np.int32), RowStats()
    )


@pytest.mark.parametrize("seq_len", [9, 100, 200])
def test_a_batch_of_the_longest_rows_fits_the_model(seq_len: int) -> None:
    """A context that is no whole number of ``WIDTHS``: a row has one token more than the model reads."""
    batch = collate(_rows_of_lengths(3, seq_len + 1), np.array([1]), pad=0)
    assert batch.inputs.shape == (1, seq_len)


def test_a_few_batches_of_an_evaluation_are_spread_over_all_lengths() -> None:
    dataset = _rows_of_lengths(*range(17, 1, -1))
    lengths = [
        [int((row >= 0).sum()) + 1 for row in batch.inputs] for batch in evaluation_batches(dataset, 2, -1, most=4)
    ]
    assert lengths == [[2, 3], [6, 7], [10, 11], [14, 15]]
    assert len(list(evaluation_batches(dataset, 2, -1, most=99))) == 8
