"""What the data really is: duplicates, leaks, conflicts, lengths, cuts, padding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .batches import collate, epoch_order
from .config import Config
from .dataset import Dataset
from .errors import DataError
from .records import Record, Turn, find_data, read_records
from .storage import file_sha256
from .template import clean_prompt

#: Rows read between two looks at whether they are still wanted: some hundredths of a second.
LOOK_EVERY = 5_000


def row_key(record: Record) -> tuple[Any, ...]:
    """What makes two rows the same to the model: texts after the cleaning that prompts go through."""
    turns = tuple((clean_prompt(t.prompt), t.context, t.completion.strip()) for t in record.turns)
    return (turns, record.system, record.text)


def question_key(record: Record) -> tuple[Any, ...]:
    """The row without its last answer."""
    turns = tuple((clean_prompt(t.prompt), t.context, t.completion.strip()) for t in record.turns[:-1])
    last = record.turns[-1] if record.turns else Turn("")
    return (turns, clean_prompt(last.prompt), last.context, record.system, record.text)


@dataclass
class Corpus:
    """Training, validation and test rows after duplicates and leaks were dealt with, and what was found."""

    train: list[Record]
    valid: list[Record]
    counts: dict[str, int] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    """SHA-256 of each file read."""
    unseen: list[Record] = field(default_factory=list)
    """Of ``data.valid_unseen``: rows with values that training never shows, reported apart."""
    test: list[Record] = field(default_factory=list)
    """``data.test_fraction`` of the training file: neither trained on nor evaluated on before the end."""


def unique_rows(records: Sequence[Record]) -> list[Record]:
    """Each row once, in the order of first appearance."""
    found: dict[tuple[Any, ...], Record] = {}
    for record in records:
        found.setdefault(row_key(record), record)
    return list(found.values())


def load_corpus(config: Config, look: Callable[[], object] = lambda: None) -> Corpus:
    """Read the files of a config and apply ``data.duplicates`` and ``data.leaks``; ``look`` is called every some
    thousand rows, and may raise what ends it. Raises ``DataError``."""
    data = config.data
    path = find_data(data.train)
    train: list[Record] = []
    for record in read_records(path):
        train.append(record)
        if len(train) % LOOK_EVERY == 0:
            look()
    if not train:
        raise DataError("{path}: no rows in it", path=str(path))
    corpus = Corpus(train, [], {"train_rows": len(train)}, {path.name: file_fingerprint(path)})
    look()
    unique = unique_rows(train)
    look()
    corpus.counts["train_duplicates"] = len(train) - len(unique)
    if data.duplicates == "drop":
        train = unique
    train, valid, corpus.test = split_rows(
        train, 0.0 if data.valid else data.valid_fraction, data.test_fraction, config.training.seed
    )
    if data.valid:
        valid = _read_held_out(data.valid, "valid", corpus)
    corpus.train = train
    trained = {row_key(record) for record in train}
    corpus.valid = _clean(valid, "valid", trained, config, corpus)
    if data.valid_unseen:
        rows = _read_held_out(data.valid_unseen, "valid_unseen", corpus)
        corpus.unseen = _clean(rows, "valid_unseen", trained, config, corpus)
    corpus.counts["train_used"] = len(train)
    if data.test_fraction:
        corpus.counts["test_rows"] = len(corpus.test)
    return corpus


def _read_held_out(name: str, part: str, corpus: Corpus) -> list[Record]:
    path = find_data(name)
    corpus.fingerprints[f"{part}/{path.name}"] = file_fingerprint(path)
    return list(read_records(path))


def _clean(
    records: list[Record], part: str, trained: set[tuple[Any, ...]], config: Config, corpus: Corpus
) -> list[Record]:
    """Held-out rows without duplicates and leaks, as the settings have it; the counts say what was found."""
    unique = unique_rows(records)
    used = unique if config.data.duplicates == "drop" else records
    clean = [record for record in used if row_key(record) not in trained]
    leaks = len(used) - len(clean)
    if config.data.leaks == "drop":
        used = clean
    corpus.counts[f"{part}_rows"] = len(records)
    corpus.counts[f"{part}_duplicates"] = len(records) - len(unique)
    corpus.counts["leaks"] = corpus.counts.get("leaks", 0) + leaks
    corpus.counts[f"{part}_used"] = len(used)
    return used


def split_rows(
    records: list[Record], valid: float, test: float, seed: int
) -> tuple[list[Record], list[Record], list[Record]]:
    """Training, validation and test rows, in the order of the file.

    Whole rows at random, all rows with the same question in the same part: what is asked in a test was never shown
    with another answer, or twice. Of a few long texts the last part of each is for validation, and none for a test:
    there is no question in them. The same seed makes the same parts.
    """
    if valid == test == 0.0:
        return records, [], []
    if all(record.text for record in records) and len(records) < 20:
        cuts = [int(len(record.text) * (1.0 - valid)) for record in records]
        heads = [Record(text=r.text[:cut], where=r.where) for r, cut in zip(records, cuts, strict=True) if cut]
        tails = [Record(text=r.text[cut:], where=r.where) for r, cut in zip(records, cuts, strict=True)]
        return heads, [tail for tail in tails if tail.text.strip()], []
    keys = [question_key(record) for record in records]
    questions = list(dict.fromkeys(keys))
    order = np.random.default_rng([seed, 0x5EED]).permutation(len(questions)).tolist()
    first, second = int(len(questions) * valid), int(len(questions) * valid) + int(len(questions) * test)
    part = {questions[i]: 1 if place < first else 2 if place < second else 0 for place, i in enumerate(order)}
    parts: tuple[list[Record], list[Record], list[Record]] = ([], [], [])
    for key, record in zip(keys, records, strict=True):
        parts[part[key]].append(record)
    return parts


def file_fingerprint(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    return file_sha256(path, DataError)


def describe_records(records: Sequence[Record]) -> dict[str, Any]:
    """Counts that need no tokenizer."""
    keys = Counter(row_key(record) for record in records)
    answers: dict[Any, set[str]] = {}
    for record in records:
        if record.turns:
            answers.setdefault(question_key(record), set()).add(record.completion.strip())
    return {
        "rows": len(records),
        "unique": len(keys),
        "duplicates": len(records) - len(keys),
        "most_repeated": max(keys.values(), default=0),
        "conflicting_questions": sum(len(found) > 1 for found in answers.values()),
        "facts": len({record.fact for record in records if record.fact}),
        "characters": sum(
            len(r.text) + sum(len(t.prompt) + len(t.context) + len(t.completion) for t in r.turns) for r in records
        ),
    }


def describe_dataset(dataset: Dataset, batch_size: int, seq_len: int, seed: int) -> dict[str, Any]:
    """Token lengths, what was cut, and how much of the batches would be padding."""
    lengths = dataset.lengths
    if not len(lengths):
        return {"rows": 0, "lost": dataset.stats.lost, "cut": 0, "cut_tokens": 0, "supervised_tokens": 0}
    percentiles = np.percentile(lengths, [0, 50, 90, 99, 100])
    places = real = 0
    for rows in epoch_order(lengths, batch_size, seed, 0)[:50]:
        batch = collate(dataset, rows, 0)
        places += batch.inputs.numel()
        real += batch.real_tokens
    return {
        "rows": len(dataset),
        "tokens": int(lengths.sum()),
        "supervised_tokens": dataset.supervised_tokens,
        "length": dict(zip(["min", "p50", "p90", "p99", "max"], [int(p) for p in percentiles], strict=True)),
        "cut": dataset.stats.cut,
        "cut_tokens": dataset.stats.cut_tokens,
        "lost": dataset.stats.lost,
        "lost_where": dataset.stats.lost_where,
        "padding_share": 1.0 - real / places,
        "padding_share_to_seq_len": max(0.0, 1.0 - float((lengths - 1).mean()) / seq_len),
    }


def overlap(first: Sequence[Record], second: Sequence[Record]) -> int:
    """Rows of ``second`` that also stand in ``first``."""
    keys = {row_key(record) for record in first}
    return sum(row_key(record) in keys for record in second)
