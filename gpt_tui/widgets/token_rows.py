"""Rows as the model sees them: which tokens, which of them are learnt, what had to be cut.

No widgets here: only what ``core.dataset`` makes of a record, with what it left out beside it. numpy and tokenizers
are imported when the first row is looked at, long after the app's first paint.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeAlias

from core.records import Record
from core.template import Template

if TYPE_CHECKING:
    from core.tokenizer import Tokenizer

#: Tokens, starts and lengths: the arrays of a ``core.dataset.Dataset``.
Windows: TypeAlias = tuple[Any, Any, Any]

GIVEN, LEARNT, CUT = "given", "learnt", "cut"


@dataclass(frozen=True)
class Piece:
    """One token."""

    token: int
    raw: bytes
    """Empty for a special token."""
    name: str
    """Of a special token, else ''."""
    part: str
    """'given', 'learnt' or 'cut'."""


@dataclass(frozen=True)
class Row:
    """One row of a corpus, cut and marked."""

    number: int
    """Counted from 0 in its ``Rows``."""
    where: str
    """file:line"""
    pieces: tuple[Piece, ...]
    window: tuple[int, int] | None = None
    """Of a text: which of its windows this is, counted from 1, and how many there are."""

    def count(self, part: str) -> int:
        return sum(piece.part == part for piece in self.pieces)

    @property
    def lost(self) -> bool:
        """Nothing of it reaches the model: the answer alone is too long."""
        return all(piece.part == CUT for piece in self.pieces)


def pieces_of(tokenizer: Tokenizer, tokens: Sequence[int], parts: Sequence[str]) -> tuple[Piece, ...]:
    return tuple(
        Piece(
            token,
            tokenizer.token_bytes(token),
            tokenizer.token_text(token) if token in tokenizer.special else "",
            part,
        )
        for token, part in zip(tokens, parts, strict=True)
    )


@dataclass
class Rows:
    """The rows of one part of a corpus. Conversations are tokenized when looked at, texts once."""

    records: list[Record]
    tokenizer: Tokenizer
    template: Template
    seq_len: int
    stride: int | None = None
    partly: bool = False
    """They are the first ones of a large file, whose rest was not read."""
    _first: list[int] = field(default_factory=list, init=False)
    """Row at which each record begins, and at last the number of rows."""
    _cached: tuple[str, Windows] | None = field(default=None, init=False, repr=False)
    """The windows of the text that was looked at last."""

    def __post_init__(self) -> None:
        counts = [1] * len(self.records)
        texts = [i for i, record in enumerate(self.records) if record.text]
        if texts:
            for i, windows in zip(texts, self._count_windows([self.records[i] for i in texts]), strict=True):
                counts[i] = windows
        self._first = [0, *accumulate(counts)]

    def _count_windows(self, texts: list[Record]) -> list[int]:
        """How many windows each text has; all are tokenized at once."""
        import numpy as np

        from core.dataset import build_dataset

        dataset = build_dataset(texts, self.tokenizer, self.template, self.seq_len, self.stride)
        if len(texts) == 1:
            self._cached = (texts[0].text, (dataset.tokens, dataset.starts, dataset.lengths))
        # Each text ends with the one end token that is in it, so the ends tell whose a window is.
        ends = np.flatnonzero(dataset.tokens == self.tokenizer.eos)
        return [int(n) for n in np.bincount(np.searchsorted(ends, dataset.starts), minlength=len(texts))]

    def __len__(self) -> int:
        return self._first[-1]

    def _locate(self, number: int) -> tuple[Record, int, int]:
        """The record of a row, which of its windows the row is, and how many there are."""
        at = bisect_right(self._first, number) - 1
        return self.records[at], number - self._first[at], self._first[at + 1] - self._first[at]

    def row(self, number: int) -> Row:
        """Raises ``IndexError`` outside ``range(len(rows))``."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        record, window, windows = self._locate(number)
        if record.text:
            return self._text_row(number, record, window, windows)
        from core.dataset import encode_segments, torn_until

        tokens, learn = encode_segments(self.template.segments(record), self.tokenizer, self.template.bos)
        seen = self._seen(record)
        cut = len(tokens) - seen
        opening = 1 if self.template.bos and seen else 0  # the opening <bos> stays when the oldest part goes
        parts = [LEARNT if flag else GIVEN for flag in learn]
        if cut and seen:
            torn = torn_until(learn, opening + cut)
            parts[opening + cut : torn] = [GIVEN] * (torn - opening - cut)
        parts[opening : opening + cut] = [CUT] * cut
        return Row(number, record.where, pieces_of(self.tokenizer, tokens, parts))

    def _seen(self, record: Record) -> int:
        """How many tokens of a conversation the training sees; asked of the very code that cuts."""
        from core.dataset import build_dataset

        dataset = build_dataset([record], self.tokenizer, self.template, self.seq_len)
        return int(dataset.lengths[0]) if len(dataset) else 0

    def _text_row(self, number: int, record: Record, window: int, windows: int) -> Row:
        all_tokens, starts, lengths = self._windows(record)
        start, length = int(starts[window]), int(lengths[window])
        tokens = all_tokens[start : start + length].tolist()
        # The first token of a window has nothing before it that it could be predicted from.
        return Row(
            number, record.where, pieces_of(self.tokenizer, tokens, [GIVEN] + [LEARNT] * (length - 1)),
            (window + 1, windows) if windows > 1 else None,
        )  # fmt: skip

    def _windows(self, record: Record) -> Windows:
        """The windows of a text; those of the last one are kept, for one pages from window to window."""
        if self._cached is None or self._cached[0] is not record.text:
            from core.dataset import build_dataset

            dataset = build_dataset([record], self.tokenizer, self.template, self.seq_len, self.stride)
            self._cached = (record.text, (dataset.tokens, dataset.starts, dataset.lengths))
        return self._cached[1]

    def text(self, number: int) -> str:
        """All that stands in a row, the cut part too: what a search looks through."""
        record, window, _ = self._locate(number)
        if not record.text:
            return "".join(segment.text for segment in self.template.segments(record))
        tokens, starts, lengths = self._windows(record)
        start = int(starts[window])
        return self.tokenizer.decode(tokens[start : start + int(lengths[window])].tolist())

    def is_cut(self, number: int) -> bool:
        """Whether the model does not see all of a row."""
        record, _, _ = self._locate(number)
        if record.text:
            return False
        from core.dataset import encode_segments

        tokens, _ = encode_segments(self.template.segments(record), self.tokenizer, self.template.bos)
        return self._seen(record) < len(tokens)

    def matches(self, number: int, words: str) -> bool:
        """Whether a row holds ``words`` (capitals do not count) or comes from the place ``words`` names."""
        return words.casefold() in self.text(number).casefold() or (
            ":" in words and self._locate(number)[0].where.endswith(words)
        )


def marked(pieces: Sequence[Piece], words: str) -> list[bool]:
    """For each token whether it is part of a place where ``words`` stand."""
    found = [False] * len(pieces)
    wanted = words.encode("utf-8", "replace").lower()
    if not wanted:
        return found
    data = b"".join(piece.raw for piece in pieces).lower()
    ends = list(accumulate(len(piece.raw) for piece in pieces))
    at = data.find(wanted)
    while at >= 0:
        for i in range(bisect_right(ends, at), bisect_right(ends, at + len(wanted) - 1) + 1):
            found[i] = bool(pieces[i].raw)
        at = data.find(wanted, at + len(wanted))
    return found
