"""What settings will cost, before anything is trained: parameters, tokens a step, memory, time.

Pure functions, so that they can follow every key press. What has to be looked up or measured for them – the data,
earlier runs, the speed of this machine – is gathered by ``estimate_facts`` in a worker.

The constants were fitted to twenty measured training steps (0.13 to 114 M parameters, 48 to 512 tokens a row,
vocabularies of 500 to 20,000, fp32 and bf16, one thread of an AVX512-bf16 processor): memory came out within 18 %,
time within 25 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.config import Config
from core.schema import ModelConfig

#: Bytes of a process that has imported torch and the app and trained one step, before any weights.
PROCESS_BYTES = 390e6
#: As in ``core.model``: up to this many tokens a row the attention scores are kept as a whole.
PLAIN_ATTENTION_UP_TO = {"bf16": 384, "fp32": 160}
#: A model whose token costs up to this many times more or less than a known one's is judged by it.
NEAR = 4.0


@dataclass(frozen=True)
class Corpus:
    """The training rows as the model will see them."""

    rows: int
    mean: float
    """Tokens a row."""
    supervised: float = 1.0
    """Share of them that the loss is computed on."""
    valid_rows: int = 0
    counted: bool = False
    """From a run on the same data; otherwise guessed from the first rows."""


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
class Machine:
    """How fast this machine computes, measured."""

    flops: dict[str, float]
    """Matrix products, per second, by number format."""
    element: float
    """Seconds for one pass over one number."""
    fast: str = "fp32"
    """What ``training.dtype: auto`` becomes."""


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
class Memory:
    """Bytes at the peak of a training step."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    process: float = PROCESS_BYTES

    @property
    def total(self) -> float:
        return self.weights + self.gradients + self.optimizer + self.activations + self.process


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


def count_parameters(model: ModelConfig, vocab: int) -> dict[str, int]:
    """As ``core.model.count_parameters``, by arithmetic instead of by building the model."""
    d, hidden, bias = model.n_embd, model.hidden, model.bias
    qkv_bias = bias if model.qkv_bias is None else model.qkv_bias
    qkv = (model.n_head + 2 * model.kv_heads) * model.head_dim
    up = hidden * (2 if model.mlp == "swiglu" else 1)
    norm = {"rmsnorm": d, "scalenorm": 1, "layernorm": 2 * d if bias else d}[model.norm]
    return {
        "embedding": vocab * d,
        "position": model.seq_len * d if model.position == "learned" else 0,
        "attention": model.n_layer * (d * qkv + qkv * qkv_bias + d * d + d * bias),
        "mlp": model.n_layer * (d * up + up * bias + hidden * d + d * bias),
        "norm": (2 * model.n_layer + 1) * norm,
        "head": 0 if model.tie_embeddings else vocab * d,
    }


def learning_parameters(config: Config, vocab: int) -> int:
    """Parameters that a training changes, as ``core.tuning`` chooses them."""
    model, wanted = config.model, config.training.trainable_blocks
    parts = count_parameters(model, vocab)
    blocks = wanted or model.n_layer
    if config.lora.rank is not None:
        d, up = model.n_embd, model.hidden * (2 if model.mlp == "swiglu" else 1)
        qkv = (model.n_head + 2 * model.kv_heads) * model.head_dim
        ends = {"qkv": d + qkv, "proj": d + d, "up": d + up, "down": model.hidden + d}
        return blocks * config.lora.rank * sum(ends[target] for target in set(config.lora.targets))
    if wanted is None:
        return sum(parts.values())
    body = (parts["attention"] + parts["mlp"]) * blocks // model.n_layer
    return body + parts["norm"] * (2 * blocks + 1) // (2 * model.n_layer + 1) + parts["head"]


def dtype_of(config: Config, machine: Machine | None) -> str:
    """The number format a training would compute with."""
    wanted: str = config.training.dtype
    if wanted != "auto":
        return wanted
    return machine.fast if machine is not None and config.training.device == "cpu" else "fp32"


def memory(config: Config, vocab: int, length: float, supervised: float, dtype: str) -> Memory:
    """Peak of a step whose longest rows have ``length`` tokens."""
    model, training = config.model, config.training
    learning = learning_parameters(config, vocab)
    frozen = sum(count_parameters(model, vocab).values()) - (learning if config.lora.rank is None else 0)
    half = dtype == "bf16"
    size = 2 if half else 4
    rows = min(training.micro_batch or training.batch_size, training.batch_size)
    tokens = rows * length
    wide = model.hidden * (1.5 if model.mlp == "swiglu" else 1.0)
    per_layer = tokens * (24 * model.n_embd + 3 * wide)
    if length <= PLAIN_ATTENTION_UP_TO[dtype]:
        per_layer += (6 if model.dropout else 4) * rows * model.n_head * length**2
    logits = 4 * 4 * supervised * tokens * vocab
    blocks = training.trainable_blocks or model.n_layer
    kept = blocks * per_layer  # below the lowest block that learns nothing is kept
    if training.gradient_checkpointing:
        kept = blocks * tokens * model.n_embd + per_layer
    activations = size * kept + logits
    # An fp32 master copy, its gradient and Adam's two means; with bf16 also what is computed with, twice. What is
    # frozen is only computed with.
    return Memory(
        4.0 * learning + (2.0 * learning if half else 0.0) + size * frozen,
        4.0 * learning + (2.0 * learning if half else 0.0),
        8.0 * learning,
        activations,
    )


def step_flops(config: Config, vocab: int, tokens: float, length: float, supervised: float) -> float:
    """Floating-point operations of one step: 6 for every weight and token, and attention over the row.

    Of the 6 two each are for the way forth, the way back and the weight's own gradient: a frozen block below those
    that learn takes the first, LoRA's matrices the first two, a block computed twice two more.
    """
    model, training, lora = config.model, config.training, config.lora.rank is not None
    parts = count_parameters(model, vocab)
    body = parts["attention"] + parts["mlp"] + 2.0 * model.n_layer * model.n_embd * length
    output = vocab * model.n_embd * supervised
    share = (training.trainable_blocks or model.n_layer) / model.n_layer
    tuned = lora or training.trainable_blocks is not None
    block = 2.0 + share * (2.0 + (0.0 if lora else 2.0) + (2.0 if training.gradient_checkpointing else 0.0))
    return tokens * (block * body + (4.0 if tuned else 6.0) * output)


def step_seconds(config: Config, vocab: int, corpus: Corpus, machine: Machine, dtype: str) -> float:
    """One optimizer step: its matrix products, and its passes over everything else."""
    model = config.model
    tokens = config.training.batch_size * corpus.mean
    products = step_flops(config, vocab, tokens, corpus.mean, corpus.supervised) / machine.flops[dtype]
    wide = model.hidden * (1.5 if model.mlp == "swiglu" else 1.0)
    passes = 2.0 * tokens * model.n_layer * ((32 if model.dropout else 20) * model.n_embd + 4 * wide)
    passes += (7.2 if model.dropout else 3.6) * model.n_layer * model.n_head * tokens * corpus.mean
    passes += 18.0 * corpus.supervised * tokens * vocab
    passes += 10.8 * learning_parameters(config, vocab)
    return 1.18 * products + machine.element * passes


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
    return (data.train, data.valid, data.valid_fraction, data.test_fraction, data.template)


def bytes_per_token(vocab: int) -> float:
    """How much text one token of a vocabulary of this size stands for, about: measured on Chinese questions and
    answers and on English source text, 300 to 8,192 tokens, within 20 %."""
    return min(4.6, 1.1 + 0.9 * math.log2(max(260, vocab) / 256))


def guess_corpus(config: Config, sample: Sample) -> Corpus:
    """The rows that a sample lets one expect."""
    longest = float(config.model.seq_len)
    if config.tokenizer.kind == "char":
        tokens = sample.row_chars
    else:
        tokens = sample.row_bytes / bytes_per_token(config.tokenizer.vocab_size)
    if sample.plain:
        stride = config.data.stride or config.model.seq_len
        held_back = 0.0 if config.data.valid else config.data.valid_fraction
        windows = max(1, round(sample.rows * tokens / stride))
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
    return (data.train, data.valid, data.template, data.duplicates, data.stride, config.tokenizer, config.model.seq_len)


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
    if facts.machine is not None and config.training.device in ("cpu", "auto"):
        step = step_seconds(config, vocab, corpus, facts.machine, dtype)
        return step / (config.training.batch_size * corpus.mean), "machine", ""
    return None, "", ""
