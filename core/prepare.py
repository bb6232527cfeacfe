"""From settings to token rows: read the data, get the tokenizer, build the datasets, report on all of it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import doctor
from .branches import join_beginnings
from .config import Config
from .dataset import CHUNK, Dataset, DatasetBuilder, build_dataset, require_supervision
from .errors import ConfigError
from .events import Event, Notice, Progress, State
from .records import Record
from .runs import runs_folder
from .sources import cache_folder, fetch_data
from .template import TEMPLATES, Template
from .token_cache import Kept, TokenCache
from .tokenizer import Tokenizer, train_bpe, train_char
from .vocabulary import load_vocabulary

#: Characters that a vocabulary is learnt from; of more an even sample of the rows. A vocabulary of 2 million cuts 4,000
#: rows of the reader corpus into 219,115 tokens, one of all 11 million into 219,109, and takes 2 instead of 15 s.
VOCABULARY_CHARACTERS = 2_000_000
#: Rows between two words about how far their cutting into tokens has come: some tenths of a second.
TOLD_EVERY = 4 * CHUNK


@dataclass(frozen=True)
class Prepared:
    """All that the training loop needs of the data."""

    tokenizer: Tokenizer
    template: Template
    train: Dataset
    valid: Dataset | None
    train_records: Sequence[Record]
    valid_records: Sequence[Record]
    unseen_records: Sequence[Record]
    """Of ``data.valid_unseen``."""
    test_records: list[Record]
    """Of ``data.test_fraction``."""
    report: dict[str, Any]
    """The data report, as in ``report.json``."""


def make_tokenizer(config: Config, records: Sequence[Record]) -> Tokenizer:
    """Load the configured tokenizer or learn one from the training rows."""
    settings = config.tokenizer
    if settings.path:
        return load_vocabulary(Path(settings.path))
    texts = tokenizer_texts(_sample(records), TEMPLATES[config.data.template])
    if settings.kind == "char":
        return train_char(texts, settings.vocab_size)
    return train_bpe(texts, settings.vocab_size, settings.max_token_length, settings.pieces)


def _sample(records: Sequence[Record]) -> Sequence[Record]:
    """Rows evenly spread over the corpus, so many that they hold about ``VOCABULARY_CHARACTERS``."""
    characters = sum(len(r.text) + sum(len(t.prompt) + len(t.context) + len(t.completion) for t in r.turns)
                     for r in records)  # fmt: skip
    step = max(1, characters // VOCABULARY_CHARACTERS)
    return records[::step]


def tokenizer_texts(records: Sequence[Record], template: Template) -> Iterator[str]:
    """The texts of rows as the model will see them."""
    for record in records:
        for segment in template.segments(record):
            yield segment.text


def prepare(
    config: Config,
    tokenizer: Tokenizer | None = None,
    cache: Path | None = None,
    look: Callable[[], object] = lambda: None,
) -> Generator[Event, None, Prepared]:
    """Read and tokenize the data of a config; yields what is worth telling, returns the result.

    A given ``tokenizer`` (of a run that goes on) is kept. Data that is made or downloaded is kept in ``cache``
    (default: that of the runs folder), and so are the token rows of a large corpus, from which the next start has
    them at once. ``look`` is called now and then, and may raise what ends it. Raises ``DataError`` or ``ConfigError``.
    """
    yield State("preparing")
    cache = cache or cache_folder(runs_folder())
    config = yield from fetch_data(config, cache)
    rows = TokenCache(config, tokenizer, cache)
    kept = rows.load()
    if kept is not None:
        yield from kept.notices
        template = TEMPLATES[config.data.template]
        train, valid, unseen = (kept.rows.get(key, ()) for key in ("train", "valid", "valid_unseen"))
        return Prepared(kept.tokenizer, template, kept.train, kept.valid, train, valid, unseen, [], kept.report)
    notices: list[Event] = []
    steps = _prepare(config, tokenizer, look)
    while True:
        look()
        try:
            event = next(steps)
        except StopIteration as end:
            prepared: Prepared = end.value
            break
        if isinstance(event, Notice):
            notices.append(event)
        yield event
    if prepared.valid is not None:
        parts = {"train": prepared.train_records, "valid": prepared.valid_records,
                 "valid_unseen": prepared.unseen_records}  # fmt: skip
        rows.save(Kept(prepared.tokenizer, prepared.train, prepared.valid, parts, prepared.report, notices))
    return prepared


def _prepare(
    config: Config, tokenizer: Tokenizer | None, look: Callable[[], object]
) -> Generator[Event, None, Prepared]:
    """``prepare`` from files that are there."""
    yield Progress("reading", 0, 0)
    corpus = doctor.load_corpus(config, look)
    yield from _corpus_notices(config, corpus)
    template = TEMPLATES[config.data.template]
    if tokenizer is None:
        yield State("tokenizing")
        tokenizer = make_tokenizer(config, corpus.train)
        learnt = config.tokenizer.kind == "bpe" and not config.tokenizer.path
        if learnt and tokenizer.vocab_size < config.tokenizer.vocab_size:
            yield Notice(
                "the vocabulary has {size} tokens, not the {asked} asked for: the text has no more pairs to merge",
                {"size": tokenizer.vocab_size, "asked": config.tokenizer.vocab_size},
            )
    train = yield from _rows_to_learn(config, corpus.train, tokenizer, template)
    if config.data.questions_together > 1:
        train = join_beginnings(train, config.data.questions_together, config.model.seq_len + 1)
    require_supervision(train, config.data.train)
    valid: Dataset | None = build_dataset(corpus.valid, tokenizer, template, config.model.seq_len)
    assert valid is not None
    if not len(valid) or not valid.supervised_tokens:
        valid = None
        if config.training.early_stopping_patience:
            raise ConfigError("training.early_stopping_patience needs validation data, and no row of it is left")
        yield Notice("no validation rows: the best checkpoint cannot be told, only the last one", level="warning")
    yield from _stop_notice(config, corpus.train)
    for name, dataset in (("train", train), ("valid", valid)):
        if dataset is not None and dataset.stats.lost:
            yield Notice(
                "{name}: {lost} rows left out, their answers are longer than model.seq_len ({where})",
                {"name": name, "lost": dataset.stats.lost, "where": ", ".join(dataset.stats.lost_where)},
                level="warning",
            )
        if dataset is not None and dataset.stats.cut:
            yield Notice(
                "{name}: {cut} questions were too long, their oldest {tokens} tokens were cut",
                {"name": name, "cut": dataset.stats.cut, "tokens": dataset.stats.cut_tokens},
                level="warning",
            )
    training = config.training
    report: dict[str, Any] = {
        "train_file": Path(config.data.train).name,
        "valid_file": Path(config.data.valid).name if config.data.valid else None,
        "valid_unseen_file": Path(config.data.valid_unseen).name if config.data.valid_unseen else None,
        **corpus.counts,
        "sha256": corpus.fingerprints,
        "vocab_size": tokenizer.vocab_size,
        "train": doctor.describe_dataset(train, training.batch_size, config.model.seq_len, training.seed),
    }
    if valid is not None:
        report["valid"] = doctor.describe_dataset(valid, training.batch_size, config.model.seq_len, training.seed)
    return Prepared(tokenizer, template, train, valid, corpus.train, corpus.valid, corpus.unseen, corpus.test, report)


def _rows_to_learn(
    config: Config, records: Sequence[Record], tokenizer: Tokenizer, template: Template
) -> Generator[Event, None, Dataset]:
    builder = DatasetBuilder(tokenizer, template, config.model.seq_len, config.data.stride or config.model.seq_len)
    for begin in range(0, len(records), TOLD_EVERY):
        if begin:
            yield Progress("encoding", begin, len(records))
        for chunk in range(begin, min(begin + TOLD_EVERY, len(records)), CHUNK):
            builder.add(records[chunk : chunk + CHUNK])
    return builder.finish()


def _corpus_notices(config: Config, corpus: doctor.Corpus) -> Iterator[Event]:
    counts = corpus.counts
    if counts["train_duplicates"]:
        yield Notice(
            "{count} of {rows} training rows stand there more than once (data.duplicates: {action})",
            {
                "count": counts["train_duplicates"],
                "rows": counts["train_rows"],
                "action": config.data.duplicates,
            },
        )
    if counts["leaks"]:
        yield Notice(
            "{count} validation rows are also trained on (data.leaks: {action})",
            {"count": counts["leaks"], "action": config.data.leaks},
            level="warning" if config.data.leaks == "keep" else "info",
        )


def _stop_notice(config: Config, records: Sequence[Record]) -> Iterator[Event]:
    """Say when answers to be learnt hold a stop string: they could never be given whole."""
    stopped = [r for r in records if any(s in t.completion.strip() for t in r.turns for s in config.sampling.stop)]
    if stopped:
        yield Notice(
            "{count} answers contain a stop string and would be cut there ({where}); --set sampling.stop=[] lets "
            "only the end token end an answer",
            {"count": len(stopped), "where": stopped[0].where},
            level="warning",
        )
