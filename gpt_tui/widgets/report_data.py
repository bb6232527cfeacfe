"""What the Data tab shows, gathered from settings and files in a thread: the report, the rows, the tokenizer."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.config import Config
from core.errors import UserError
from core.records import Record, find_data, read_records
from core.text import printable

from ..i18n import _
from .token_rows import Rows

if TYPE_CHECKING:
    from core.tokenizer import Tokenizer

MAX_BYTES = 64_000_000
"""Of a larger file only the first rows are looked at: the page must come while somebody waits for it."""
MAX_ROWS = 50_000
MAX_CHARACTERS = 20_000_000
"""Of a single text."""


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


def gather(config: Config, tokenizer_file: Path | None = None, wanted: Callable[[], bool] = lambda: True) -> DataView:
    """Read, report, tokenize. What the user can put right is in ``problem``, with whatever else could be had.

    ``tokenizer_file`` is that of a run; without one the vocabulary is learnt from the training rows, as a training
    with these settings would do. Raises ``Cancelled`` soon after ``wanted()`` turned False.
    """
    from core.tokenizer import Tokenizer

    from ..cli import say

    view = DataView()
    try:
        if tokenizer_file is not None and tokenizer_file.is_file():
            view.tokenizer = Tokenizer.load(tokenizer_file)
        _gather(config, view, wanted)
    except UserError as problem:
        view.problem = say(problem)
    except OSError as problem:
        view.problem = printable(str(problem))
    except MemoryError:
        view.problem = _("the memory is used up")
    return view


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
    paths = [find_data(name) for name in (config.data.train, config.data.valid) if name]
    files: list[list[Record]] = []
    partly = False
    for path in paths:
        step()
        records, whole = _read(path)
        partly = partly or not whole
        files.append(records)
    train, valid = _as_trained(config, files, partly)
    step()
    if view.tokenizer is None:
        view.tokenizer = make_tokenizer(config, train)
    step()
    for path, records in zip(paths, files, strict=True):
        dataset = build_dataset(records, view.tokenizer, template, seq_len, config.data.stride)
        step()
        tokens = describe_dataset(dataset, config.training.batch_size, seq_len, config.training.seed)
        report = {"file": str(path), **describe_records(records), "tokens": tokens}
        view.lines += [_line(text, first=i == 0) for i, text in enumerate(report_lines(report, seq_len))]
        view.lines.append(Line(""))
        step()
    view.lines.append(Line(_("The two together"), "title") if len(paths) > 1 else Line(_("Validation"), "title"))
    view.lines += _together(config, files, train, valid, overlap(*files) if len(files) > 1 else None)
    if partly:
        view.lines.append(
            Line(_("a large file: only its first part was read for this page; gpt-tui doctor FILE reads it all"), "!")
        )
    view.lines.append(Line(_("vocabulary: {size} tokens").format(size=view.tokenizer.vocab_size)))
    view.train = Rows(train, view.tokenizer, template, seq_len, config.data.stride)
    step()
    view.valid = Rows(valid, view.tokenizer, template, seq_len)


def _line(text: str, first: bool) -> Line:
    """A line of ``report_lines``: the file's name, or a mark, a blank and the words."""
    if first:
        return Line(printable(text), "title")
    return Line(printable(text[2:]), "!" if text.startswith("!") else "")


def _together(
    config: Config, files: list[list[Record]], train: list[Record], valid: list[Record], leaks: int | None
) -> list[Line]:
    found: list[Line] = []
    if leaks is not None:
        found.append(Line(_("{rows} validation rows also stand in the training file").format(rows=leaks),
                          "!" if leaks else ""))  # fmt: skip
    elif valid:
        found.append(Line(_("a part of the training data is kept for it: {share:.0%}").format(
            share=config.data.valid_fraction)))  # fmt: skip
    found.append(Line(_("{train} rows to train on, {valid} to evaluate on").format(train=len(train), valid=len(valid)),
                      "" if valid else "!"))  # fmt: skip
    dropped = sum(map(len, files)) - len(train) - len(valid)
    if dropped > 0:
        found.append(Line(_("{rows} rows are left out as duplicates or leaks (data.duplicates, data.leaks)").format(
            rows=dropped)))  # fmt: skip
    return found


def _read(path: Path) -> tuple[list[Record], bool]:
    """The rows of a file, and whether that is all of them."""
    if not path.is_file() or os.stat(path).st_size <= MAX_BYTES:  # what is no file is refused by the reader
        return list(read_records(path)), True
    records = list(islice(read_records(path), MAX_ROWS))
    return [
        Record(text=r.text[:MAX_CHARACTERS], where=r.where) if len(r.text) > MAX_CHARACTERS else r for r in records
    ], False


def _as_trained(config: Config, files: list[list[Record]], partly: bool) -> tuple[list[Record], list[Record]]:
    """The rows that a training with these settings sees, and those it is evaluated on."""
    from core.doctor import load_corpus, row_key, unique_rows

    if not partly:
        corpus = load_corpus(config)
        return corpus.train, corpus.valid
    train, valid = files[0], files[1] if len(files) > 1 else []
    if config.data.duplicates == "drop":
        train, valid = unique_rows(train), unique_rows(valid)
    if config.data.leaks == "drop":
        known = {row_key(record) for record in train}
        valid = [record for record in valid if row_key(record) not in known]
    return train, valid
