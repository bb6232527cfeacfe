"""Token rows to batches: which rows, in which order, with how little padding.

The order is a pure function of seed and epoch (and, for several machines, of rank and world size), so that a
resumed run goes on exactly where it stopped without any saved state of a loader.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from .branches import hidden_between, places_of
from .dataset import Dataset

IGNORE = -100  # target of a place that the loss skips, torch's own convention

#: Batches among which rows are sorted by length. On 500 rows of the teacher corpus in batches of 32:
#: 1 leaves 21 % padding, 16 leaves 2 %, more gains nothing and mixes less.
POOL = 16

#: torch's CPU backend compiles and keeps kernels for every new shape. On rows of 20 to 50 tokens, widths in
#: whole eights cost 15 % less time a token, padding included, and 300 MB less memory than every width.
WIDTHS = 8

#: The same for rows of more than ``LONG`` tokens. With whole eights the reader's batches had more shapes than the 256
#: kernels that are kept (``machine.KERNELS_KEPT``): 11,500 tokens/s instead of 13,600.
LONG_WIDTHS, LONG = 16, 128


@dataclass(frozen=True)
class Batch:
    """Rows padded to the longest among them."""

    inputs: torch.Tensor
    """(batch, time) token ids."""
    targets: torch.Tensor
    """(batch, time) the next token, ``IGNORE`` where nothing is learnt."""
    real_tokens: int
    """Places that are not padding."""
    positions: torch.Tensor | None = None
    """(batch, time) where a token would stand if its branch were alone; None: no row has branches."""
    hidden: torch.Tensor | None = None
    """(batch, 1, time, time) True where a token may not see another, of another branch."""

    @property
    def supervised(self) -> int:
        """Places that the loss is computed on."""
        return int((self.targets != IGNORE).sum())


def epoch_order(
    lengths: npt.NDArray[np.int32], batch_size: int, seed: int, epoch: int, rank: int = 0, world: int = 1
) -> list[npt.NDArray[np.int64]]:
    """Row numbers of each batch of one epoch: shuffled, of similar length within a batch, each row once.

    With ``world`` > 1 every rank gets equally many batches of the same common order; a few rows may then
    come twice.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    batches: list[npt.NDArray[np.int64]] = []
    for begin in range(0, len(order), batch_size * POOL):
        pool = order[begin : begin + batch_size * POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
    batches = [batches[i] for i in rng.permutation(len(batches))]
    if world > 1 and batches:
        count = -(-len(batches) // world) * world
        batches = [batches[i % len(batches)] for i in range(count)]
    return batches[rank::world]


def batches_per_epoch(rows: int, batch_size: int) -> int:
    """How many batches ``epoch_order`` gives on one machine."""
    full, rest = divmod(rows, batch_size * POOL)
    return full * POOL + -(-rest // batch_size)


def collate(dataset: Dataset, rows: npt.NDArray[np.int64], pad: int, device: str = "cpu") -> Batch:
    """The rows as one padded batch, its width rounded up to whole ``WIDTHS`` or ``LONG_WIDTHS`` tokens, but never
    wider than the longest row of all: that one fits the model."""
    lengths = dataset.lengths[rows]
    longest = int(lengths.max()) - 1
    whole = WIDTHS if longest <= LONG else LONG_WIDTHS
    width = min(-(-longest // whole) * whole, int(dataset.lengths.max()) - 1)
    inputs = np.full((len(rows), width), pad, dtype=np.int64)
    targets = np.full((len(rows), width), IGNORE, dtype=np.int64)
    for i, (start, length) in enumerate(zip(dataset.starts[rows], lengths, strict=True)):
        tokens = dataset.tokens[start : start + length]
        inputs[i, : length - 1] = tokens[:-1]
        targets[i, : length - 1] = np.where(dataset.learn[start + 1 : start + length], tokens[1:], IGNORE)
    real = int(lengths.sum()) - len(rows)
    batch = Batch(torch.from_numpy(inputs).to(device), torch.from_numpy(targets).to(device), real)
    return batch if dataset.branches is None else _with_branches(batch, dataset, rows)


def _with_branches(batch: Batch, dataset: Dataset, rows: npt.NDArray[np.int64]) -> Batch:
    assert dataset.branches is not None
    branches = np.zeros(batch.inputs.shape, dtype=np.uint8)
    positions = np.zeros(batch.inputs.shape, dtype=np.int64)
    for i, (start, length) in enumerate(zip(dataset.starts[rows], dataset.lengths[rows], strict=True)):
        branches[i, : length - 1] = dataset.branches[start : start + length - 1]
        positions[i, : length - 1] = places_of(branches[i, : length - 1])
    device = batch.inputs.device
    hidden = torch.from_numpy(hidden_between(branches)).to(device)
    return replace(batch, positions=torch.from_numpy(positions).to(device), hidden=hidden)


def split_rows(rows: npt.NDArray[np.int64], micro_batch: int | None) -> list[npt.NDArray[np.int64]]:
    """The rows of one optimizer step, in the pieces that are computed at once."""
    size = micro_batch or len(rows)
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def evaluation_batches(
    dataset: Dataset, batch_size: int, pad: int, device: str = "cpu", most: int | None = None
) -> Iterator[Batch]:
    """All rows once, sorted by length: the order does not matter for a sum, padding does for time.

    With ``most`` only so many batches, evenly spread over all lengths.
    """
    order = np.argsort(dataset.lengths, kind="stable")
    begins = list(range(0, len(order), batch_size))
    if most is not None and most < len(begins):
        begins = [begins[number * len(begins) // most] for number in range(most)]
    for begin in begins:
        yield collate(dataset, order[begin : begin + batch_size], pad, device)
