"""What the Data tab shows, gathered from settings and files in a thread: the report, the rows, the tokenizer."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.config import Config
from core.errors import UserError
from core.events import Progress
from core.records import Record, find_data, read_records
from core.text import printable

from ..i18n import _
from .token_rows import Rows

if TYPE_CHECKING:
    from core.doctor import Corpus
    from core.tokenizer import Tokenizer

MAX_BYTES = 8_000_000
"""Of a larger file only the first rows are looked at: the page must come while somebody waits for it, and the 23 MB
of the corpus ``reader`` take 65 s on two busy cores."""
MAX_ROWS = 10_000
MAX_CHARACTERS = 2_000_000
"""Of texts in a larger file: cut into tokens three times for this page, in a second each."""


@dataclass(frozen=True)
class Line:
    """One line of the report."""

    text: str
    kind: str = ""
    """'title', '!' for what wants attention, '' for the rest."""


@dataclass
class DataView:
    """All that is known of the data that some settings name."""

    lines: list[Line] = field(default_factory=list)
    tokenizer: Tokenizer | None = None
    train: Rows | None = None
    valid: Rows | None = None
    unseen: Rows | None = None
    """Of ``data.valid_unseen``."""
    problem: str = ""
    """Why the data could not be read; one safe line."""

    @property
    def warnings(self) -> int:
        return sum(line.kind == "!" for line in self.lines)


class Cancelled(Exception):
    """Nobody waits for the result any more."""


def data_key(config: Config, tokenizer_file: Path | None = None) -> str:
    """What the page depends on: while this stays the same, there is nothing to read again."""
    parts: list[Any] = [
        config.data.model_dump(mode="json", exclude={"probes", "verify_rows"}),
        config.tokenizer.model_dump(mode="json"),
        config.model.seq_len, config.training.batch_size, config.training.seed, str(tokenizer_file),
    ]  # fmt: skip
    for name in (config.data.train, config.data.valid):
        try:
            stat = os.stat(find_data(name)) if name else None
        except (UserError, OSError, ValueError):
            stat = None
        parts.append([stat.st_mtime_ns, stat.st_size] if stat else None)
    return json.dumps(parts)


def gather(
    config: Config,
    tokenizer_file: Path | None = None,
    wanted: Callable[[], bool] = lambda: True,
    *,
    cache: Path | None = None,
    tell: Callable[[Progress], object] = lambda _progress: None,
) -> DataView:
    """Read, report, tokenize. What the user can put right is in ``problem``, with whatever else could be had.

    Files that are made or downloaded end in ``cache``, where a training looks for them too; ``tell`` hears how far
    that has come. Without a cache only files that are there are read.

    ``tokenizer_file`` is that of a run; without one the vocabulary is learnt from the training rows, as a training
    with these settings would do. Raises ``Cancelled`` soon after ``wanted()`` turned False.
    """
    from core.tokenizer import Tokenizer

    from ..cli import say

    view = DataView()
    try:
        if tokenizer_file is not None and tokenizer_file.is_file():
            view.tokenizer = Tokenizer.load(tokenizer_file)
        _gather(config if cache is None else _fetched(config, cache, wanted, tell), view, wanted)
    except UserError as problem:
        view.problem = say(problem)
    except OSError as problem:
        view.problem = printable(str(problem))
    except MemoryError:
        view.problem = _("the memory is used up")
    return view


def _fetched(config: Config, cache: Path, wanted: Callable[[], bool], tell: Callable[[Progress], object]) -> Config:
    """The settings with the real paths of their files."""
    from core.sources import fetch_data

    with closing(fetch_data(config, cache)) as steps:
        while True:
            try:
                event = next(steps)
            except StopIteration as end:
                found: Config = end.value
                return found
            if not wanted():
                raise Cancelled
            if isinstance(event, Progress):
                tell(event)


def _gather(config: Config, view: DataView, wanted: Callable[[], bool]) -> None:
    from core.dataset import build_dataset
    from core.doctor import describe_dataset, describe_records, overlap
    from core.prepare import make_tokenizer
    from core.template import TEMPLATES

    from ..commands.doctor import report_lines

    def step() -> None:
        if not wanted():
            raise Cancelled

    template, seq_len = TEMPLATES[config.data.template], config.model.seq_len
    paths = [find_data(name) for name in (config.data.train, config.data.valid, config.data.valid_unseen) if name]
    files: list[list[Record]] = []
    cut: list[bool] = []
    for path in paths:
        step()
        records, whole = _read(path)
        cut.append(not whole)
        files.append(records)
    corpus = _as_trained(config, files, any(cut))
    train, valid = corpus.train, corpus.valid
    step()
    if view.tokenizer is None:
        view.tokenizer = make_tokenizer(config, train)
    step()
    if any(cut):
        view.lines.append(
            Line(_("a large file: only its first part was read for this page; gpt-tui doctor FILE reads it all"), "!")
        )
    for path, records in zip(paths, files, strict=True):
        dataset = build_dataset(records, view.tokenizer, template, seq_len, config.data.stride)
        step()
        tokens = describe_dataset(dataset, config.training.batch_size, seq_len, config.training.seed)
        report = {"file": str(path), **describe_records(records), "tokens": tokens}
        view.lines += [_line(text, first=i == 0) for i, text in enumerate(report_lines(report, seq_len))]
        view.lines.append(Line(""))
        step()
    view.lines.append(Line(_("All together"), "title") if len(paths) > 1 else Line(_("Validation"), "title"))
    view.lines += _together(config, files, corpus, overlap(*files[:2]) if config.data.valid else None)
    view.lines.append(Line(_("vocabulary: {size} tokens").format(size=view.tokenizer.vocab_size)))
    view.train = Rows(train, view.tokenizer, template, seq_len, config.data.stride, partly=cut[0])
    step()
    view.valid = Rows(valid, view.tokenizer, template, seq_len, partly=cut[1 if config.data.valid else 0])
    if corpus.unseen:
        view.unseen = Rows(corpus.unseen, view.tokenizer, template, seq_len, partly=cut[-1])


def _line(text: str, first: bool) -> Line:
    """A line of ``report_lines``: the file's name, or a mark, a blank and the words."""
    if first:
        return Line(printable(text), "title")
    return Line(printable(text[2:]), "!" if text.startswith("!") else "")


def _together(config: Config, files: list[list[Record]], corpus: Corpus, leaks: int | None) -> list[Line]:
    train, valid = corpus.train, corpus.valid
    found: list[Line] = []
    if leaks is not None:
        found.append(Line(_("{rows} validation rows also stand in the training file").format(rows=leaks),
                          "!" if leaks else ""))  # fmt: skip
    elif valid:
        found.append(Line(_("a part of the training data is kept for it: {share:.0%}").format(
            share=config.data.valid_fraction)))  # fmt: skip
    found.append(Line(_("{train} rows to train on, {valid} to evaluate on").format(train=len(train), valid=len(valid)),
                      "" if valid else "!"))  # fmt: skip
    if corpus.unseen:
        found.append(Line(_("{rows} rows with values that training never shows").format(rows=len(corpus.unseen))))
    if corpus.test:
        found.append(Line(_("{rows} rows are kept for a test at the end").format(rows=len(corpus.test))))
    dropped = sum(map(len, files)) - len(train) - len(valid) - len(corpus.unseen) - len(corpus.test)
    if dropped > 0:
        found.append(Line(_("{rows} rows are left out as duplicates or leaks (data.duplicates, data.leaks)").format(
            rows=dropped)))  # fmt: skip
    return found


def _read(path: Path) -> tuple[list[Record], bool]:
    """The rows of a file, and whether that is all of them."""
    if not path.is_file() or os.stat(path).st_size <= MAX_BYTES:  # what is no file is refused by the reader
        return list(read_records(path)), True
    records: list[Record] = []
    room = MAX_CHARACTERS
    for record in islice(read_records(path), MAX_ROWS):
        records.append(Record(text=record.text[:room], where=record.where) if len(record.text) > room else record)
        room -= len(record.text)
        if room <= 0:
            break
    return records, False


def _as_trained(config: Config, files: list[list[Record]], partly: bool) -> Corpus:
    """The rows that a training with these settings sees, and those it is evaluated on."""
    from core.doctor import Corpus, load_corpus, row_key, split_rows, unique_rows

    if not partly:
        return load_corpus(config)
    train, held_out = files[0], files[1:]
    if config.data.duplicates == "drop":
        train, held_out = unique_rows(train), [unique_rows(rows) for rows in held_out]
    if config.data.leaks == "drop":
        known = {row_key(record) for record in train}
        held_out = [[record for record in rows if row_key(record) not in known] for rows in held_out]
    data = config.data
    train, valid, test = split_rows(
        train, 0.0 if data.valid else data.valid_fraction, data.test_fraction, config.training.seed
    )
    valid = held_out.pop(0) if data.valid else valid
    return Corpus(train, valid, unseen=held_out[0] if held_out else [], test=test)
