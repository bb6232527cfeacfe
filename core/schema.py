"""The one schema of all settings: name, kind, bounds, default, unit and help, each said once.

The console's options, the form in the app, the messages about bad input and the documentation are all made
from these fields. ``live`` marks what may change while a training runs.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError


def _field(default: Any, help_text: str, *, unit: str = "", live: bool = False, **bounds: Any) -> Any:
    return Field(default, description=help_text, json_schema_extra={"unit": unit, "live": live}, **bounds)


MOST = 1_000_000_000  # steps; what has no limit of its own must still be a number that files can hold


def _bad(message: str, **values: Any) -> PydanticCustomError:
    # The template goes along for core.config: pydantic hands on the values, but of the message only its text.
    return PydanticCustomError("settings", message, {"template": message, **values})


class Section(BaseModel):
    """A group of settings: unknown keys refused, no silent conversions, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _nothing_written_is_empty(cls, values: Any) -> Any:
        """``valid: ''`` and ``--set data.valid=`` mean what ``null`` does, where a setting may be empty."""
        if not isinstance(values, dict):
            return values
        optional = (name for name, field in cls.model_fields.items() if type(None) in get_args(field.annotation))
        return values | {name: None for name in optional if values.get(name) == ""}


class ModelConfig(Section):
    """The network."""

    n_layer: int = _field(4, "Transformer blocks, one after the other.", ge=1, le=96)
    n_head: int = _field(4, "Attention heads per block.", ge=1, le=128)
    n_kv_head: int | None = _field(
        None, "Heads for keys and values (grouped-query attention); empty: as many as n_head.", ge=1, le=128
    )
    n_embd: int = _field(256, "Width: numbers per token.", ge=8, le=8192)
    head_dim: int | None = _field(None, "Numbers per head; empty: n_embd / n_head.", ge=2, le=1024)
    seq_len: int = _field(128, "Longest context.", unit="tokens", ge=8, le=16384)
    dropout: float = _field(0.0, "Share of activations dropped in training.", ge=0.0, le=0.9)
    norm: Literal["rmsnorm", "layernorm", "scalenorm"] = _field("rmsnorm", "Normalization before each part.")
    norm_eps: float = _field(1e-6, "Smallest value under the root of the normalization.", gt=0.0, le=1e-2)
    mlp: Literal["silu", "gelu", "relu", "swiglu"] = _field(
        "silu", "Feed-forward: two matrices around an activation, or the gated SwiGLU with three."
    )
    mlp_hidden: int | None = _field(None, "Width inside the feed-forward; empty: 4 x n_embd.", ge=8, le=65536)
    position: Literal["rope", "learned"] = _field("rope", "How the model knows the order of tokens.")
    rope_theta: float = _field(10000.0, "Base wavelength of RoPE.", ge=10.0, le=1e8)
    bias: bool = _field(True, "Biases in the linear layers (and in LayerNorm).")
    qkv_bias: bool | None = _field(None, "Biases of query, key and value; empty: as 'bias'.")
    tie_embeddings: bool = _field(True, "One matrix for the embedding and the output layer.")

    init: Literal["random", "induction"] = _field(
        "random", "Fresh weights: random, or with heads that copy what the context repeats (needs rope and qkv_bias)."
    )

    @property
    def kv_heads(self) -> int:
        return self.n_kv_head or self.n_head

    @property
    def head_size(self) -> int:
        return self.head_dim or self.n_embd // self.n_head

    @property
    def attention_width(self) -> int:
        """Numbers per token that all heads give together."""
        return self.n_head * self.head_size

    @property
    def hidden(self) -> int:
        return self.mlp_hidden or 4 * self.n_embd

    @model_validator(mode="after")
    def _shapes_fit(self) -> ModelConfig:
        if self.head_dim is None and self.n_embd % self.n_head:
            raise _bad(
                "n_embd ({n_embd}) must be a multiple of n_head ({n_head})",
                n_embd=self.n_embd,
                n_head=self.n_head,
            )
        if self.n_head % self.kv_heads:
            raise _bad(
                "n_head ({n_head}) must be a multiple of n_kv_head ({n_kv_head})",
                n_head=self.n_head,
                n_kv_head=self.kv_heads,
            )
        if self.position == "rope" and self.head_size % 2:
            raise _bad(
                "with rope, head_dim (or n_embd / n_head) must be even, found {head_dim}", head_dim=self.head_size
            )
        biased = self.bias if self.qkv_bias is None else self.qkv_bias
        if self.init == "induction" and not (
            self.position == "rope" and biased and self.kv_heads == self.n_head and self.n_layer > 1
            and 16 <= self.head_size <= self.n_embd and self.head_size % 8 == 0
        ):  # fmt: skip
            raise _bad(
                "init: induction needs position: rope, qkv_bias: true, n_kv_head as n_head, 2 layers, and head_dim "
                "(or n_embd / n_head) a multiple of 8 from 16 to n_embd"
            )
        return self


class TokenizerConfig(Section):
    """From text to numbers."""

    kind: Literal["bpe", "char"] = _field("bpe", "Byte-level BPE, or one token per character.")
    vocab_size: int = _field(
        1024, "Tokens to know, the 256 bytes and 3 special ones included.", unit="tokens", ge=260, le=200_000
    )
    max_token_length: int | None = _field(
        None,
        "Longest piece a BPE merge may build (a Chinese character is 3 bytes).",
        unit="bytes",
        ge=2,
        le=256,
    )
    pieces: Literal["words", "digits", "characters"] = _field(
        "words", "Where BPE merges end: at words; also at every digit; also at every Chinese character."
    )
    path: str | None = _field(None, "Use this vocabulary, a tokenizer.json or GPT-2's folder, instead of training one.")


Text = Annotated[str, StringConstraints(min_length=1, max_length=10_000)]


class Probe(Section):
    """A question asked again and again during training."""

    prompt: Text = _field(..., "The question.")
    expected: str | None = _field(None, "The right answer; empty: none is known.")


class DataConfig(Section):
    """What to learn from."""

    train: Text = _field(
        "teacher/train.jsonl", "Training data: a file, or the name of one that is bundled or made (reader/train.jsonl)."
    )
    valid: str | None = _field("teacher/valid.jsonl", "Validation data; empty: a part of the training data.")
    valid_unseen: str | None = _field(
        None, "More validation data, reported apart: rows with names and values that training never shows."
    )
    valid_fraction: float = _field(
        0.1, "Part of the training data kept for validation when 'valid' is empty.", ge=0.0, le=0.5
    )
    test_fraction: float = _field(
        0.0, "Part of the training data kept for a test: answered after the training into responses.json.",
        ge=0.0, le=0.5,
    )  # fmt: skip
    template: Literal["teacher", "alpaca", "plain", "seed"] = _field(
        "teacher",
        "How a question becomes a prompt: 用户/助手, Alpaca's headings, the text as it is, or the first as imported "
        "seeds have it, with an end token before the answer.",
    )
    duplicates: Literal["drop", "keep"] = _field("drop", "What to do with rows that stand there exactly twice.")
    leaks: Literal["drop", "keep"] = _field("drop", "What to do with validation rows that are also trained on.")
    stride: int | None = _field(
        None, "Plain text: how far the window moves; empty: a whole window.", unit="tokens", ge=1, le=16384
    )
    questions_together: int = _field(
        1, "Neighbouring rows that begin alike, as questions on one text do: so many share that beginning, computed "
        "once; 1: each row alone.",
        unit="rows", ge=1, le=64,
    )  # fmt: skip
    start_context: str | None = _field(
        None, "Text that the model goes on from after each epoch, to show what it writes.", max_length=2000
    )
    corpus_rows: int = _field(
        100_000, "Training rows of a corpus that is made (reader/train.jsonl).", unit="rows", ge=1, le=10_000_000
    )
    corpus_valid: int = _field(
        5000, "Validation rows of it, and as many with unseen values.", unit="rows", ge=0, le=1_000_000
    )
    corpus_seed: int = _field(123, "The same seed makes the same corpus.", ge=0, le=2**31 - 1)
    url: str | None = _field(
        None, "Where to download 'train' when there is no such file.", max_length=1000, pattern=r"^https://\S+$"
    )
    sha256: str | None = _field(None, "The checksum that the downloaded file must have.", pattern=r"^[0-9a-f]{64}$")
    probes: list[Probe] = _field([], "Questions asked after each evaluation.", max_length=50)
    verify_rows: int = _field(
        4000, "Questions answered after training for the report; 0: none.", unit="rows", ge=0, le=1_000_000
    )

    @model_validator(mode="after")
    def _a_download_is_checked(self) -> DataConfig:
        if self.url is not None and self.sha256 is None:
            raise _bad("data.url needs data.sha256: what is downloaded must be what was meant")
        return self


class TrainingConfig(Section):
    """How to learn."""

    batch_size: int = _field(32, "Rows per optimizer step.", unit="rows", ge=1, le=65536)
    micro_batch: int | None = _field(
        None, "Rows computed at once (less memory, same result); empty: the whole batch.", unit="rows", ge=1, le=65536
    )
    lr: float = _field(1e-3, "Highest learning rate.", live=True, gt=0.0, le=1.0)
    min_lr: float = _field(1e-5, "Learning rate at the end of the cosine.", live=True, ge=0.0, le=1.0)
    weight_decay: float = _field(0.1, "AdamW's decay, on matrices only.", ge=0.0, le=1.0)
    beta1: float = _field(0.9, "AdamW: memory of the mean of gradients.", ge=0.0, lt=1.0)
    beta2: float = _field(0.95, "AdamW: memory of their squares.", ge=0.0, lt=1.0)
    warmup_ratio: float = _field(0.05, "Share of the training in which the rate rises.", ge=0.0, le=0.9)
    grad_clip: float = _field(1.0, "Longest gradient; 0: no clipping.", ge=0.0, le=1000.0)
    max_steps: int | None = _field(None, "Optimizer steps; empty: no limit.", unit="steps", live=True, ge=1, le=MOST)
    max_epochs: float | None = _field(None, "Passes over the data; empty: no limit.", unit="epochs", gt=0.0, le=1e6)
    max_minutes: float | None = _field(
        None,
        "Time budget, reached by the schedule; empty: none.",
        unit="minutes",
        live=True,
        gt=0.0,
        le=100_000.0,
    )
    eval_interval: int = _field(100, "Steps between evaluations.", unit="steps", live=True, ge=1, le=MOST)
    eval_batches: int | None = _field(None, "Validation batches per evaluation; empty: all.", ge=1, le=MOST)
    log_interval: int = _field(10, "Steps between log lines.", unit="steps", live=True, ge=1, le=MOST)
    save_interval: int = _field(200, "Steps between checkpoints.", unit="steps", live=True, ge=1, le=MOST)
    keep_checkpoints: int = _field(2, "Checkpoints kept besides the best.", ge=1, le=1000)
    seed: int = _field(42, "The same seed gives the same run.", ge=0, le=2**31 - 1)
    dtype: Literal["auto", "fp32", "bf16"] = _field("auto", "Numbers to compute with; auto: what is fast here.")
    device: Literal["auto", "cpu", "cuda", "mps"] = _field("cpu", "Where to compute.")
    threads: int | None = _field(None, "CPU threads; empty: all that the process may use.", ge=1, le=1024)
    optimizer: Literal["adamw", "muon"] = _field(
        "adamw", "How gradients become updates; Muon for the matrices of the blocks, AdamW for the rest."
    )
    prompt_loss: float = _field(
        0.0, "Weight of the prompt's own tokens in the loss, of which one in four is counted; 0: answers alone.",
        ge=0.0, le=1.0,
    )  # fmt: skip
    early_stopping_patience: int | None = _field(
        None, "Stop after so many evaluations without a better loss; empty: never.", unit="evaluations", ge=1, le=MOST
    )
    stop_loss: float | None = _field(
        None, "Stop when the validation loss is this low; empty: never.", unit="nats per token", gt=0.0
    )
    int8: bool = _field(True, "Write an int8 checkpoint at the end.")
    figures: bool = _field(True, "Draw the losses at the end (needs matplotlib).")
    tensorboard: bool = _field(False, "Write event files for TensorBoard too (needs tensorboard).")
    start_from: str | None = _field(
        None, "A run or checkpoint whose weights and vocabulary to begin with; empty: fresh ones."
    )
    start_required: bool = _field(False, "Refuse to begin with fresh weights: what is here tunes a trained model.")
    trainable_blocks: int | None = _field(
        None, "Blocks that learn, counted from the top; all below them is frozen. Empty: the whole model learns.",
        unit="blocks", ge=1, le=96,
    )  # fmt: skip
    gradient_checkpointing: bool = _field(
        False, "Compute each block twice instead of keeping what it computed: much less memory, a third more time."
    )

    @model_validator(mode="after")
    def _budget_and_batches(self) -> TrainingConfig:
        if self.max_steps is None and self.max_epochs is None and self.max_minutes is None:
            raise _bad("one of max_steps, max_epochs, max_minutes must be set, or the training never ends")
        if self.min_lr > self.lr:
            raise _bad("min_lr ({min_lr}) must not be above lr ({lr})", min_lr=self.min_lr, lr=self.lr)
        return self


#: The matrices of a block that LoRA can be put on, as the model calls them.
LORA_TARGETS = ("qkv", "proj", "up", "down")


class LoraConfig(Section):
    """Tuning by small factors beside frozen matrices."""

    rank: int | None = _field(
        None, "LoRA: columns of the factors learnt instead of whole matrices, 4 to 64. Empty: no LoRA.", ge=1, le=1024
    )
    alpha: float = _field(16.0, "LoRA: what the factors add is multiplied by alpha / rank.", gt=0.0, le=4096.0)
    targets: list[Text] = _field(
        ["qkv", "proj"], "LoRA: on which matrices: qkv, proj (attention), up, down (feed-forward).",
        min_length=1, max_length=len(LORA_TARGETS),
    )  # fmt: skip
    dropout: float = _field(0.0, "LoRA: share of the factors' inputs dropped in training.", ge=0.0, le=0.9)

    @model_validator(mode="after")
    def _targets_are_known(self) -> LoraConfig:
        for name in self.targets:
            if name not in LORA_TARGETS:
                raise _bad("lora.targets: found '{name}', allowed: {names}", name=name, names=", ".join(LORA_TARGETS))
        return self


class SamplingConfig(Section):
    """How to answer."""

    temperature: float = _field(0.0, "0: always the likeliest token; higher: freer.", ge=0.0, le=10.0)
    top_k: int | None = _field(None, "Only the k likeliest tokens; empty: all.", ge=1, le=200_000)
    top_p: float = _field(1.0, "Only the likeliest tokens that together reach this probability.", gt=0.0, le=1.0)
    repetition_penalty: float = _field(1.0, "Above 1: tokens already used get less likely.", ge=0.1, le=10.0)
    max_new_tokens: int = _field(100, "Longest answer.", unit="tokens", ge=1, le=16384)
    min_new_tokens: int = _field(1, "Shortest answer.", unit="tokens", ge=1, le=16384)
    stop: list[Text] = _field(["\n", "用户:"], "Texts at which the answer ends; they are not shown.", max_length=32)
    trim_leading: bool = _field(True, "Drop punctuation and blanks before the answer.")

    @model_validator(mode="after")
    def _lengths(self) -> SamplingConfig:
        if self.min_new_tokens > self.max_new_tokens:
            raise _bad(
                "min_new_tokens ({low}) must not be above max_new_tokens ({high})",
                low=self.min_new_tokens,
                high=self.max_new_tokens,
            )
        return self


class Settings(Section):
    """All settings of a run. ``core.config.Config`` adds reading and writing."""

    recipe: str = _field("custom", "The recipe these settings come from.", pattern=r"^\w[\w.-]{0,63}$")
    description: str = _field("", "What the recipe is for.", max_length=500)
    model: ModelConfig = _field(ModelConfig(), "The network.")
    tokenizer: TokenizerConfig = _field(TokenizerConfig(), "From text to numbers.")
    data: DataConfig = _field(DataConfig(), "What to learn from.")
    training: TrainingConfig = _field(TrainingConfig(max_steps=1000), "How to learn.")
    lora: LoraConfig = _field(LoraConfig(), "Tuning by small factors beside frozen matrices.")
    sampling: SamplingConfig = _field(SamplingConfig(), "How to answer.")

    @model_validator(mode="after")
    def _no_more_blocks_than_there_are(self) -> Settings:
        blocks = self.training.trainable_blocks
        if blocks is not None and blocks > self.model.n_layer:
            raise _bad(
                "training.trainable_blocks ({blocks}) must not be above model.n_layer ({layers})",
                blocks=blocks,
                layers=self.model.n_layer,
            )
        return self
