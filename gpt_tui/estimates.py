"""What settings will cost, before anything is trained: parameters, tokens a step, memory, time.

Pure functions, so that they can follow every key press. What has to be looked up or measured for them – the data,
earlier runs, the speed of this machine – is gathered by ``estimate_facts`` in a worker; ``step_cost`` is the
arithmetic of one step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.config import Config

from .step_cost import Corpus, Machine, Memory, count_parameters, dtype_of, memory, step_flops, step_seconds

#: A model whose token costs up to this many times more or less than a known one's is judged by it.
NEAR = 4.0


@dataclass(frozen=True)
class Sample:
    """What the first rows of the training file look like, before any tokenizer."""

    key: tuple[object, ...]
    """The settings it was taken with: ``sample_key``."""
    rows: int
    row_bytes: float
    """UTF-8 bytes of a row with the template's words; of a plain text all of them."""
    row_chars: float
    learnt: float = 1.0
    """Share of the text that is to be learnt."""
    valid_rows: int = 0
    plain: bool = False
    """Plain text, cut into windows."""


@dataclass(frozen=True)
class KnownRun:
    """What an earlier run really took."""

    name: str
    config: Config
    vocab: int
    dtype: str
    seconds_per_token: float
    """Evaluations and checkpoints included."""
    corpus: Corpus
    threads: int = 0


@dataclass(frozen=True)
class Facts:
    """All that the estimates know beyond the settings."""

    sample: Sample | None = None
    machine: Machine | None = None
    runs: Sequence[KnownRun] = ()
    threads: int = 1
    """What ``training.threads: empty`` becomes."""


@dataclass(frozen=True)
class Estimate:
    """The read-outs beside the form."""

    parts: dict[str, int]
    places: int
    """Tokens a step if every row were full."""
    tokens: float | None
    """Tokens a step with the rows as they are."""
    steps: int | None
    epochs: float | None
    memory: Memory
    seconds: float | None
    """None: nothing is known to judge by."""
    source: str = ""
    """What ``seconds`` comes from: 'run', 'scaled', 'machine', 'budget' or ''."""
    run: str = ""

    @property
    def parameters(self) -> int:
        return sum(self.parts.values())


def estimate(config: Config, facts: Facts) -> Estimate:
    """Everything at once. Cheap: some microseconds."""
    training = config.training
    vocab = config.tokenizer.vocab_size
    corpus = _corpus(config, facts)
    known = _twin(config, facts.runs)
    if known is not None:  # the text may have had no more pairs to merge
        vocab = min(vocab, known.vocab)
    dtype = dtype_of(config, facts.machine)
    length = min(float(config.model.seq_len), 2.0 * corpus.mean) if corpus is not None else config.model.seq_len
    supervised = corpus.supervised if corpus is not None else 1.0
    tokens = training.batch_size * corpus.mean if corpus is not None else None
    steps, epochs = _steps(config, corpus)
    per_token, source, run = _seconds_per_token(config, vocab, corpus, facts, dtype)
    seconds = None
    if per_token is not None and tokens is not None:
        step = per_token * tokens
        if source == "machine" and corpus is not None:
            step += _evaluation(config, corpus, per_token)
        if steps is not None:
            seconds = step * steps
        budget = 60.0 * training.max_minutes if training.max_minutes is not None else math.inf
        if seconds is None or budget < seconds:
            seconds, source, run = budget, "budget", ""
            steps = max(1, int(budget / step)) if steps is None or budget / step < steps else steps
            if corpus is not None:
                epochs = steps * training.batch_size / corpus.rows
    elif training.max_minutes is not None:
        seconds, source = 60.0 * training.max_minutes, "budget"
    return Estimate(
        count_parameters(config.model, vocab),
        training.batch_size * config.model.seq_len,
        tokens,
        steps,
        epochs,
        memory(config, vocab, length, supervised, dtype),
        seconds,
        source,
        run,
    )


def _steps(config: Config, corpus: Corpus | None) -> tuple[int | None, float | None]:
    """Steps and passes over the data that the settings allow, as far as they can be known without a clock."""
    training = config.training
    limits = [] if training.max_steps is None else [training.max_steps]
    if corpus is not None and training.max_epochs is not None:
        limits.append(max(1, math.ceil(training.max_epochs * corpus.rows / training.batch_size)))
    steps = min(limits, default=None)
    if steps is None:
        return None, training.max_epochs
    return steps, steps * training.batch_size / corpus.rows if corpus is not None else None


def _evaluation(config: Config, corpus: Corpus, per_token: float) -> float:
    """Seconds of evaluation that fall on each step: forward only, a third of the work."""
    training = config.training
    rows = corpus.valid_rows
    if training.eval_batches is not None:
        rows = min(rows, training.eval_batches * training.batch_size)
    return rows * corpus.mean * per_token / 3.0 / training.eval_interval


# -- the data -----------------------------------------------------------------------------------------------------


def sample_key(config: Config) -> tuple[object, ...]:
    """The settings that decide what a ``Sample`` looks like."""
    data = config.data
    together = (data.questions_together, config.model.seq_len) if data.questions_together > 1 else ()
    made = (data.corpus_rows, data.corpus_valid, data.corpus_seed)
    return (data.train, data.valid, data.valid_fraction, data.test_fraction, data.template, *made, *together)


def bytes_per_token(vocab: int) -> float:
    """How much text one token of a vocabulary of this size stands for, about: measured on Chinese questions and
    answers and on English source text, 300 to 8,192 tokens, within 20 %."""
    return min(4.6, 1.1 + 0.9 * math.log2(max(260, vocab) / 256))


def guess_corpus(config: Config, sample: Sample) -> Corpus:
    """The rows that a sample lets one expect."""
    longest = float(config.model.seq_len)
    if config.tokenizer.kind == "char" or config.tokenizer.pieces == "characters":
        tokens = sample.row_chars
    else:
        tokens = sample.row_bytes / bytes_per_token(config.tokenizer.vocab_size)
    if sample.plain:
        stride = config.data.stride or config.model.seq_len
        if sample.rows > 1:  # each is cut into windows by itself, and whole rows were held back
            windows = max(1, round(sample.rows * max(1.0, tokens / stride)))
            return Corpus(windows, min(longest, tokens), 1.0, sample.valid_rows)
        held_back = 0.0 if config.data.valid else config.data.valid_fraction
        windows = max(1, round(tokens / stride))
        return Corpus(max(1, round(windows * (1 - held_back))), min(longest, tokens), 1.0, round(windows * held_back))
    return Corpus(sample.rows, min(longest, tokens + 2), sample.learnt, sample.valid_rows)


def _corpus(config: Config, facts: Facts) -> Corpus | None:
    """The rows as an earlier run counted them, else as guessed from the file."""
    twin = _twin(config, facts.runs)
    if twin is not None:
        return twin.corpus
    if facts.sample is not None and facts.sample.key == sample_key(config):
        return guess_corpus(config, facts.sample)
    return None


# -- earlier runs -------------------------------------------------------------------------------------------------


def _data_key(config: Config) -> tuple[object, ...]:
    data = config.data
    made = (data.corpus_rows, data.corpus_valid, data.corpus_seed, data.questions_together)
    rows = (data.train, data.valid, data.template, data.duplicates, data.stride)
    split = (data.valid_fraction, data.test_fraction, data.leaks)
    vocabulary = (config.tokenizer, config.training.start_from)  # one trained further has that of another run
    return (*rows, *made, *split, *vocabulary, config.model.seq_len)


def _speed_key(config: Config, dtype: str, threads: int) -> tuple[object, ...]:
    training = config.training
    model = config.model.model_copy(update={"dropout": bool(config.model.dropout)})
    tuned = (training.trainable_blocks, training.gradient_checkpointing, config.lora.model_dump_json())
    return (model, training.batch_size, training.micro_batch, training.device, threads, dtype, *tuned)


def _twin(config: Config, runs: Sequence[KnownRun]) -> KnownRun | None:
    """The newest run on the same data with the same tokenizer."""
    key = _data_key(config)
    return next((run for run in runs if _data_key(run.config) == key), None)


def _seconds_per_token(
    config: Config, vocab: int, corpus: Corpus | None, facts: Facts, dtype: str
) -> tuple[float | None, str, str]:
    """Seconds for each token, where that comes from, and the name of the run if it is one."""
    if corpus is None:
        return None, "", ""
    threads = config.training.threads or facts.threads
    key = _speed_key(config, dtype, threads)
    for run in facts.runs:
        if _speed_key(run.config, run.dtype, run.threads) == key and 0.5 < run.vocab / vocab < 2.0:
            return run.seconds_per_token, "run", run.name
    work = step_flops(config, vocab, 1.0, corpus.mean, corpus.supervised)
    near: list[tuple[float, KnownRun]] = []
    for run in facts.runs:
        if run.dtype == dtype and run.threads == threads and run.config.training.device == config.training.device:
            cost = step_flops(run.config, run.vocab, 1.0, run.corpus.mean, run.corpus.supervised)
            near.append((work / cost, run))
    near.sort(key=lambda pair: abs(math.log(pair[0])))
    if near and 1 / NEAR < near[0][0] < NEAR:
        ratio, run = near[0]
        return run.seconds_per_token * ratio, "scaled", run.name
    if facts.machine is not None and facts.machine.trains(config):
        step = step_seconds(config, vocab, corpus, facts.machine, dtype)
        return step / (config.training.batch_size * corpus.mean), "machine", ""
    return None, "", ""
