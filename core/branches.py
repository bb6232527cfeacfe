"""Rows that begin alike, learnt as one row with branches: what they share is computed once.

Rows of a reading corpus that follow each other often ask about the same passage. Joined, the passage stands once and
each question is a branch of it: it sees the passage and itself, not the other questions, at the places in which it
would stand alone. Loss and gradient are those of the rows one by one (as a tree of guesses is verified in one pass,
Miao et al. 2023, "SpecInfer"), for two fifths of the work with six questions on 80 characters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .dataset import Dataset


def join_beginnings(rows: Dataset, most: int, longest: int) -> Dataset:
    """``rows`` with neighbours that begin alike made one row of at most ``most`` branches and ``longest`` tokens.

    Rows are joined where at least half of what is given in each, before the first token to be learnt, is the same.
    """
    if not len(rows):
        return rows
    pieces: list[slice] = []
    branches: list[npt.NDArray[np.uint8]] = []
    lengths: list[int] = []
    for members, common in _groups(rows, most, longest):
        total = 0
        for number, row in enumerate(members, 1):
            begin, end = int(rows.starts[row]), int(rows.starts[row] + rows.lengths[row])
            if number > 1:
                begin += common
            branch = np.full(end - begin, number, dtype=np.uint8)
            if number == 1 and len(members) > 1:
                branch[:common] = 0
            pieces.append(slice(begin, end))
            branches.append(branch)
            total += end - begin
        lengths.append(total)
    return replace(
        rows,
        tokens=np.concatenate([rows.tokens[piece] for piece in pieces]),
        learn=np.concatenate([rows.learn[piece] for piece in pieces]),
        branches=np.concatenate(branches),
        starts=np.cumsum([0, *lengths[:-1]], dtype=np.int64),
        lengths=np.asarray(lengths, dtype=np.int32),
    )


def _groups(rows: Dataset, most: int, longest: int) -> Iterator[tuple[range, int]]:
    """Rows to be joined, and how many tokens they have in common."""
    first, common, total, most_given = 0, 0, 0, 0
    starts, lengths, all_given = rows.starts.tolist(), rows.lengths.tolist(), _given(rows).tolist()
    for row, (start, length, given) in enumerate(zip(starts, lengths, all_given, strict=True)):
        if row > first:
            # The last token that is the same begins each branch: it has something else to predict in each.
            alike = min(common, _alike(rows.tokens, starts[first], start, min(given, all_given[first])) - 1)
            joined = total + length - alike + (common - alike) * (row - first - 1)
            if row - first < most and joined <= longest and alike >= 1 and 2 * alike >= max(given, most_given):
                common, total, most_given = alike, joined, max(given, most_given)
                continue
            yield range(first, row), common
        first, common, total, most_given = row, given, length, given  # alone: all of it
    yield range(first, len(rows)), common


def _given(rows: Dataset) -> npt.NDArray[np.int64]:
    """(rows,) tokens before the first to be learnt."""
    learnt = np.append(np.flatnonzero(rows.learn), len(rows.learn) + int(rows.lengths.max()))
    first = learnt[np.searchsorted(learnt, rows.starts)]
    return np.minimum(first - rows.starts, rows.lengths)


def _alike(tokens: npt.NDArray[np.int32], first: int, second: int, most: int) -> int:
    """Tokens, ``most`` at most, with which the rows that begin there both begin."""
    differ = tokens[first : first + most] != tokens[second : second + most]
    place = int(differ.argmax()) if most else 0
    return place if most and differ[place] else most


def places_of(branches: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """(time,) where each token of a row would stand if its branch were alone after the common beginning."""
    index = np.arange(len(branches))
    turns = np.flatnonzero(np.diff(branches)) + 1
    if not len(turns):
        return index
    begin = np.zeros(len(branches), dtype=np.int64)
    begin[turns] = turns - turns[0]
    return index - np.maximum.accumulate(begin)


def hidden_between(branches: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """(batch, 1, time, time) True where a token may not see another, the last axis, because that stands in another
    branch; ``branches`` (batch, time)."""
    own, other = branches[:, None, :, None], branches[:, None, None, :]
    hidden: npt.NDArray[np.bool_] = (own != other) & (other != 0)
    return hidden
