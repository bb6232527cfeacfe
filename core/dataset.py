"""Records to token rows: what is given, what is learnt, what had to be cut.

All rows lie in two flat arrays, so that memory grows with tokens, not with Python objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import numpy.typing as npt

from .errors import DataError
from .records import Record, Turn
from .template import Segment, Template
from .tokenizer import Tokenizer

CHUNK = 2048  # rows tokenized at once: enough to keep all cores of the tokenizer busy


@dataclass
class RowStats:
    """What became of the rows of one file."""

    rows: int = 0
    cut: int = 0
    """Rows whose question lost its oldest part."""
    cut_tokens: int = 0
    lost: int = 0
    """Rows left out because the answer alone does not fit."""
    lost_where: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Dataset:
    """Token rows. Row ``i`` is ``tokens[starts[i] : starts[i] + lengths[i]]``."""

    tokens: npt.NDArray[np.int32]
    """(all tokens,)"""
    learn: npt.NDArray[np.bool_]
    """(all tokens,) True where a token is to be predicted."""
    starts: npt.NDArray[np.int64]
    """(rows,)"""
    lengths: npt.NDArray[np.int32]
    """(rows,)"""
    stats: RowStats
    branches: npt.NDArray[np.uint8] | None = None
    """(all tokens,) which branch of its row a token stands in, 0: in what they have in common (``branches.py``)."""

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def supervised_tokens(self) -> int:
        """Tokens that the loss is computed on, in one pass over the rows."""
        before = np.concatenate([[0], np.cumsum(self.learn, dtype=np.int64)])
        # The first token of a row has nothing before it to be predicted from.
        return int((before[self.starts + self.lengths] - before[self.starts + 1]).sum())


def encode_segments(segments: Sequence[Segment], tokenizer: Tokenizer, bos: bool) -> tuple[list[int], list[bool]]:
    """Ids of a row and, for each, whether it is to be learnt. Each learnt segment is closed by the end token.

    Segments are tokenized apart, so that a prompt has the same ids whatever answer follows it.
    """
    tokens: list[int] = [tokenizer.bos] if bos else []
    learn: list[bool] = [False] if bos else []
    for segment in segments:
        ids = tokenizer.encode(segment.text)
        if segment.learn or segment.closed:
            ids.append(tokenizer.eos)
        tokens += ids
        learn += [segment.learn] * len(ids)
    return tokens, learn


def encode_prompt(
    question: str | Turn,
    tokenizer: Tokenizer,
    template: Template,
    room: int,
    history: tuple[Turn, ...] = (),
    system: str = "",
) -> list[int]:
    """Ids that stand before an answer: at most ``room``, the oldest cut first."""
    turn = Turn(question) if isinstance(question, str) else question
    tokens, _ = encode_segments(template.prompt_segments(turn, history, system), tokenizer, template.bos)
    return _keep_newest(tokens, room, template.bos) or [tokenizer.bos]


def torn_until(learn: Sequence[bool], first: int) -> int:
    """Where the answer ends that is cut in two when a row begins at ``first``; ``first`` itself where none is.

    What is left of it is not learnt: it would be the answer to nothing.
    """
    end = first
    while first > 0 and learn[first - 1] and end < len(learn) and learn[end]:
        end += 1
    return end


def _keep_newest(tokens: list[int], room: int, bos: bool) -> list[int]:
    """The last ``room`` tokens, the opening ``<bos>`` kept."""
    if len(tokens) <= room:
        return tokens
    return [tokens[0], *tokens[len(tokens) - room + 1 :]] if bos else tokens[len(tokens) - room :]


def build_dataset(
    records: Iterable[Record],
    tokenizer: Tokenizer,
    template: Template,
    seq_len: int,
    stride: int | None = None,
) -> Dataset:
    """Tokenize rows to at most ``seq_len`` inputs each.

    Conversations: one row each; when too long, the oldest part before the last answer is cut, never that
    answer, and of an earlier answer that has lost its beginning nothing is learnt; a row whose answer alone is too
    long is left out and counted. Texts: windows of ``seq_len`` tokens, ``stride`` apart (default: a whole window).
    """
    builder = DatasetBuilder(tokenizer, template, seq_len, stride or seq_len)
    iterator = iter(records)
    while chunk := list(islice(iterator, CHUNK)):
        builder.add(chunk)
    return builder.finish()


class DatasetBuilder:
    """``build_dataset`` piece by piece: ``add`` rows, then ``finish``."""

    def __init__(self, tokenizer: Tokenizer, template: Template, seq_len: int, stride: int) -> None:
        self._tokenizer, self._template = tokenizer, template
        self._longest = seq_len + 1  # inputs are all tokens but the last, targets all but the first
        self._stride = stride
        self._tokens: list[npt.NDArray[np.int32]] = []
        self._learn: list[npt.NDArray[np.bool_]] = []
        self._starts: list[int] = []
        self._lengths: list[int] = []
        self._total = 0
        self._stats = RowStats()

    def add(self, chunk: Sequence[Record]) -> None:
        rows = [self._template.segments(record) for record in chunk]
        ids = iter(self._tokenizer.encode_batch([segment.text for row in rows for segment in row]))
        for record, row in zip(chunk, rows, strict=True):
            self._stats.rows += 1
            pieces = [(segment, next(ids)) for segment in row]
            if record.text:
                self._add_text(pieces[0][1])
            else:
                self._add_conversation(pieces, record)

    def _add_conversation(self, pieces: list[tuple[Segment, list[int]]], record: Record) -> None:
        bos = self._template.bos
        tokens = [self._tokenizer.bos] if bos else []
        learn = [False] * len(tokens)
        for segment, ids in pieces:
            if segment.learn or segment.closed:
                ids = [*ids, self._tokenizer.eos]
            tokens += ids
            learn += [segment.learn] * len(ids)
        answer = len(pieces[-1][1]) + 1
        over = len(tokens) - self._longest
        if over > 0:
            room = self._longest - answer  # for what stands before the last answer
            if room < 2:  # <bos> or label, and at least one token of the question
                self._stats.lost += 1
                if len(self._stats.lost_where) < 5:
                    self._stats.lost_where.append(record.where)
                return
            tokens = _keep_newest(tokens, self._longest, bos)
            first = over + 1 if bos else over  # of what stays
            torn = torn_until(learn, first)
            learn[first:torn] = [False] * (torn - first)
            learn = [False, *learn[first:]] if bos else learn[first:]
            self._stats.cut += 1
            self._stats.cut_tokens += over
        self._starts.append(self._total)
        self._lengths.append(len(tokens))
        self._append(tokens, learn)

    def _add_text(self, ids: list[int]) -> None:
        ids = [*ids, self._tokenizer.eos]
        for start in range(0, max(1, len(ids) - 1), self._stride):
            length = min(self._longest, len(ids) - start)
            if length < 2:
                break
            self._starts.append(self._total + start)
            self._lengths.append(length)
            if start + length >= len(ids):
                break
        self._append(ids, [True] * len(ids))

    def _append(self, tokens: list[int], learn: list[bool]) -> None:
        self._tokens.append(np.asarray(tokens, dtype=np.int32))
        self._learn.append(np.asarray(learn, dtype=np.bool_))
        self._total += len(tokens)

    def finish(self) -> Dataset:
        empty = not self._tokens
        return Dataset(
            np.zeros(0, np.int32) if empty else np.concatenate(self._tokens),
            np.zeros(0, np.bool_) if empty else np.concatenate(self._learn),
            np.asarray(self._starts, dtype=np.int64),
            np.asarray(self._lengths, dtype=np.int32),
            self._stats,
        )


def require_supervision(dataset: Dataset, source: str) -> None:
    """Refuse a corpus with nothing to learn: its loss would be NaN for hours. Raises ``DataError``."""
    if len(dataset) and dataset.supervised_tokens:
        return
    lost = dataset.stats.lost
    raise DataError(
        "{source}: no answer is left to learn from ({rows} rows read, {lost} with an answer longer than "
        "model.seq_len); use longer sequences or shorter answers",
        source=source,
        rows=dataset.stats.rows,
        lost=lost,
    )
