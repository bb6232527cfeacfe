"""What one training step takes: parameters, memory, arithmetic, seconds. The ground of ``estimates``.

The constants were fitted to twenty measured training steps (0.13 to 114 M parameters, 48 to 512 tokens a row,
vocabularies of 500 to 20,000, fp32 and bf16, one thread of an AVX512-bf16 processor): memory came out within 18 %,
time within 25 %.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.config import Config
from core.schema import ModelConfig

#: Bytes of a process that has imported torch and the app and trained one step, before any weights.
PROCESS_BYTES = 390e6
#: As in ``core.model``: up to this many tokens a row the attention scores are kept as a whole.
PLAIN_ATTENTION_UP_TO = {"bf16": 384, "fp32": 160}
#: As in ``core.optim``: from so many numbers on AdamW keeps no fp32 copy of a single backward pass's gradients.
STREAMED_FROM = 16_000_000
#: As in ``core.prompt_loss``: the share of the given tokens that is learnt too, where any is.
COUNTED = 0.25


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
class Machine:
    """How fast this machine computes, measured."""

    flops: dict[str, float]
    """Matrix products, per second, by number format."""
    element: float
    """Seconds for one pass over one number."""
    fast: str = "fp32"
    """What ``training.dtype: auto`` becomes."""
    device: str = "cpu"
    """What ``training.device: auto`` becomes."""

    def trains(self, config: Config) -> bool:
        """Whether a training would run on the processor, which is what was measured."""
        wanted = config.training.device
        return (self.device if wanted == "auto" else wanted) == "cpu"


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


def count_parameters(model: ModelConfig, vocab: int) -> dict[str, int]:
    """As ``core.skeleton.count_parameters``, by arithmetic instead of by building the model."""
    d, hidden, bias = model.n_embd, model.hidden, model.bias
    qkv_bias = bias if model.qkv_bias is None else model.qkv_bias
    qkv = (model.n_head + 2 * model.kv_heads) * model.head_size
    up = hidden * (2 if model.mlp == "swiglu" else 1)
    norm = {"rmsnorm": d, "scalenorm": 1, "layernorm": 2 * d if bias else d}[model.norm]
    return {
        "embedding": vocab * d,
        "position": model.seq_len * d if model.position == "learned" else 0,
        "attention": model.n_layer * (d * qkv + qkv * qkv_bias + model.attention_width * d + d * bias),
        "mlp": model.n_layer * (d * up + up * bias + hidden * d + d * bias),
        "norm": (2 * model.n_layer + 1) * norm,
        "head": 0 if model.tie_embeddings else vocab * d,
    }


def learning_parameters(config: Config, vocab: int) -> int:
    """Parameters that a training changes, as ``core.tuning`` chooses them."""
    model, wanted = config.model, config.training.trainable_blocks
    if config.lora.rank is not None:
        d, up = model.n_embd, model.hidden * (2 if model.mlp == "swiglu" else 1)
        qkv = (model.n_head + 2 * model.kv_heads) * model.head_size
        ends = {"qkv": d + qkv, "proj": model.attention_width + d, "up": d + up, "down": model.hidden + d}
        return (wanted or model.n_layer) * config.lora.rank * sum(ends[target] for target in set(config.lora.targets))
    parts = count_parameters(model, vocab)
    if wanted is None:
        return sum(parts.values())
    norms = parts["norm"] * (2 * wanted + 1) // (2 * model.n_layer + 1)
    return _learning_body(config, parts) + norms + parts["head"]


def _learning_body(config: Config, parts: dict[str, int]) -> int:
    """Attention and feed-forward of the blocks that learn."""
    layers = config.model.n_layer
    return (parts["attention"] + parts["mlp"]) * (config.training.trainable_blocks or layers) // layers


def turned_parameters(config: Config, vocab: int) -> int:
    """Of those that learn, the ones in the matrices that Muon updates; 0 without it."""
    if config.training.optimizer != "muon":
        return 0
    body = _learning_body(config, count_parameters(config.model, vocab))
    return min(body, learning_parameters(config, vocab))


def dtype_of(config: Config, machine: Machine | None) -> str:
    """The number format a training would compute with."""
    wanted: str = config.training.dtype
    if wanted != "auto":
        return wanted
    return machine.fast if machine is not None and machine.trains(config) else "fp32"


def looked_at(config: Config, supervised: float) -> float:
    """Share of the places for which the output layer, and the last block but for its keys and values, is computed."""
    return supervised + (COUNTED * (1.0 - supervised) if config.training.prompt_loss else 0.0)


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
    per_layer = tokens * (16 * model.n_embd + 8 * model.attention_width + 3 * wide)
    if length <= PLAIN_ATTENTION_UP_TO[dtype]:
        per_layer += (6 if model.dropout else 4) * rows * model.n_head * length**2
    logits = 4 * 4 * looked_at(config, supervised) * tokens * vocab
    blocks = training.trainable_blocks or model.n_layer
    kept = blocks * per_layer  # below the lowest block that learns nothing is kept
    if training.gradient_checkpointing:
        kept = blocks * tokens * model.n_embd + per_layer
    activations = size * kept + logits
    # An fp32 master copy, its gradient and AdamW's two means, or Muon's one; with bf16 also what is computed with,
    # twice. What is frozen is only computed with.
    turned = turned_parameters(config, vocab)
    streamed = learning - turned >= STREAMED_FROM and rows == training.batch_size
    copied = turned if streamed and half else learning
    return Memory(
        4.0 * learning + (2.0 * learning if half else 0.0) + size * frozen,
        4.0 * copied + (2.0 * learning if half else 0.0),
        8.0 * learning - 4.0 * turned,
        activations,
    )


def step_flops(config: Config, vocab: int, tokens: float, length: float, supervised: float) -> float:
    """Floating-point operations of one step: 6 for every weight and token it is needed for, and attention over the row.

    Of the 6 two each are for the way forth, the way back and the weight's own gradient: a frozen block below those
    that learn takes the first, LoRA's matrices the first two, a block computed twice two more.
    """
    model, training, lora = config.model, config.training, config.lora.rank is not None
    parts = count_parameters(model, vocab)
    looked = looked_at(config, supervised)
    body = parts["attention"] + parts["mlp"] + 2.0 * model.n_layer * model.attention_width * length
    body -= (1.0 - looked) * (parts["mlp"] / model.n_layer + model.attention_width * model.n_embd)
    output = vocab * model.n_embd * looked
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
    numbers = (24 if model.dropout else 12) * model.n_embd + 8 * model.attention_width + 4 * wide
    passes = 2.0 * tokens * model.n_layer * numbers
    passes += (7.2 if model.dropout else 3.6) * model.n_layer * model.n_head * tokens * corpus.mean
    passes += 18.0 * looked_at(config, corpus.supervised) * tokens * vocab
    passes += 10.8 * learning_parameters(config, vocab)
    # Muon: five rounds of three products for each matrix, and some ten more passes over its numbers. A head is a small
    # matrix, whose products reach half the rate of large ones.
    turned, parts = turned_parameters(config, vocab), count_parameters(model, vocab)
    of_heads = parts["attention"] / (parts["attention"] + parts["mlp"])
    side = of_heads * 2 * model.head_size + (1.0 - of_heads) * model.n_embd
    products += 28.0 * side * turned / machine.flops[dtype]
    passes += 20.0 * turned
    return 1.18 * products + machine.element * passes
