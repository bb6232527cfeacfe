"""Checkpoints of the class-room programs that this one comes from, as their torch.save left them.

GPT_teacher writes ``{"model", "cfg"}``: first with one matrix for query, key and value and a SiLU feed-forward, later
with grouped queries and SwiGLU. ch_lite_gpt writes ``{"weights", "cfg"}``. They differ from this program in names, and
in their norms:

- GPT_teacher divides by the length of a vector, not by its root mean square (the factor it multiplies with is that of
  a side of length 1). ``x / |x| * w`` is ``x / rms(x) * w / sqrt(width)``: the factor goes into the weight.
- Both add their 1e-6 to the root, not under it. Under the root a number as large would change small vectors (by 0.1 %
  at an rms of 0.02), so ``norm_eps`` is 1e-12 and changes none.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..config import Config, load_config
from ..errors import CheckpointError, ConfigError, DataError
from ..events import Event, Notice, Progress
from ..schema import ModelConfig
from ..tokenizer import Tokenizer
from .gpt2 import Numbers
from .install import Foreign, provenance
from .tensors import Stored, Taker, require_memory
from .torch_file import QuantizedTensor, read_torch_file

NORM_EPS = 1e-12


@dataclass(frozen=True)
class Seed:
    """One of the programs: where its checkpoint holds what."""

    name: str
    title: str
    tensors: str
    """The key of the weights in the file."""
    mark: str
    """A tensor of the first block that the others do not have."""
    settings: str
    """The section of ``cfg`` with the network's shape."""
    shape: tuple[str, str, str]
    """In it: layers, heads, width."""
    embed: str
    head: str
    norm: str
    norms: tuple[str, str]
    """Of a block: before attention, before the feed-forward."""
    gain: str
    """The parameter of a norm."""
    qkv: tuple[str, ...]
    proj: str
    up: tuple[str, ...]
    """The gate first, where there is one."""
    down: str
    bias: bool
    mlp: str
    by_length: bool
    """Its norm divides by the length."""
    template: str


SEEDS = (
    Seed(
        "teacher", "GPT_teacher", "model", "attn.qkv.weight", "model", ("n_layer", "n_head", "n_embd"),
        "tok_emb", "head", "norm", ("norm1", "norm2"), "weight", ("attn.qkv",), "attn.proj", ("mlp.fc1",), "mlp.fc2",
        True, "silu", True, "seed",
    ),
    Seed(
        "teacher-gqa", "GPT_teacher", "model", "attn.wq.weight", "model", ("n_layer", "n_head", "n_embd"),
        "tok_emb", "head", "norm", ("norm1", "norm2"), "weight", ("attn.wq", "attn.wk", "attn.wv"), "attn.proj",
        ("mlp.w_gate", "mlp.w_up"), "mlp.w_down", False, "swiglu", True, "teacher",
    ),
    Seed(
        "lite", "ch_lite_gpt", "weights", "attn.to_qkv.weight", "net", ("layers", "heads", "width"),
        "emb", "lm", "out_norm", ("n1", "n2"), "g", ("attn.to_qkv",), "attn.to_out", ("ff.w1", "ff.w2"), "ff.w3",
        True, "swiglu", False, "seed",
    ),
)  # fmt: skip

#: Where the vocabulary lies, seen from the folder of the checkpoint, where nobody says it.
_TOKENIZERS = ("tokenizer.json", "../tokenizer/tokenizer.json", "../tokenizer.json", "tokenizer/tokenizer.json")


def read_seed(
    file: Path, tokenizer_file: Path | None = None, template: str | None = None
) -> Generator[Event, None, Foreign]:
    """The model in a ``last.pt`` of one of these programs. Raises ``CheckpointError`` or ``DataError`` in one line.

    ``template`` says how it was asked where that is not what its architecture tells.
    """
    value = read_torch_file(file)
    seed, tensors, settings = _recognize(value, file)
    tokenizer, where = _vocabulary(file, tokenizer_file)
    taker = Taker(tensors, str(file))
    config = _config(seed, settings, taker, file)
    require_memory(config.model, tokenizer.vocab_size, str(file))
    weights = yield from _weights(seed, taker, config.model)
    if template is not None:
        config = config.update({"data.template": template})
    if not tokenizer.reads_everything:
        yield Notice("its vocabulary knows only the bytes of its own corpus: in other texts they become <unk>")
    about = provenance(f"seed {seed.name}", file, [file, where], program=seed.title)
    return Foreign(config, tokenizer, weights, about, f"{seed.title}-{file.stem}")


def _recognize(value: Any, file: Path) -> tuple[Seed, dict[str, Stored], Mapping[str, Any]]:
    """Which program wrote it; its tensors and its settings."""
    if not isinstance(value, dict) or not isinstance(value.get("cfg"), dict):
        raise CheckpointError("{file}: not a checkpoint of the seeds: expected a 'model' or 'weights', and its 'cfg'",
                              file=str(file))  # fmt: skip
    for seed in SEEDS:
        tensors = value.get(seed.tensors)
        if not isinstance(tensors, dict):
            continue
        if any("_packed_params" in str(name) or isinstance(item, QuantizedTensor) for name, item in tensors.items()):
            raise CheckpointError("{file}: its weights are rounded to int8; import the last.pt beside it, an int8 "
                                  "checkpoint is written from that", file=str(file))  # fmt: skip
        if f"blocks.0.{seed.mark}" in tensors:
            found = {str(name): item for name, item in tensors.items() if isinstance(item, Stored)}
            section = value["cfg"].get(seed.settings)
            if not isinstance(section, dict):
                raise CheckpointError("{file}: its cfg has no section '{name}'", file=str(file), name=seed.settings)
            text = value["cfg"].get("text")
            return seed, found, {**(text if isinstance(text, dict) else {}), **section}
    raise CheckpointError("{file}: an architecture that is not known: it is neither GPT_teacher's nor ch_lite_gpt's",
                          file=str(file))  # fmt: skip


def _vocabulary(file: Path, given: Path | None) -> tuple[Tokenizer, Path]:
    places = [given] if given else [file.parent / place for place in _TOKENIZERS]
    for place in places:
        if given or place.is_file():
            return Tokenizer.load(place), place
    raise DataError(
        "{folder}: no tokenizer.json beside the checkpoint; name the one it was trained with: --tokenizer FILE",
        folder=str(file.parent),
    )


def _config(seed: Seed, settings: Mapping[str, Any], taker: Taker, file: Path) -> Config:
    """The teacher recipe with this network in it; the shape is what the file says, the rest is read off the tensors."""
    number = Numbers(settings, file)
    layers, heads, width = (number.whole(key) for key in seed.shape)
    model = {
        "n_layer": layers, "n_head": heads, "n_embd": width, "seq_len": number.whole("seq_len"),
        "n_kv_head": number.whole("n_kv_head") if settings.get("n_kv_head") is not None else None,
        "dropout": number.real("dropout", 0.0), "norm": "rmsnorm", "norm_eps": NORM_EPS, "mlp": seed.mlp,
        "mlp_hidden": (taker.shape(f"blocks.0.{seed.down}.weight") or (0,))[-1], "position": "rope",
        "rope_theta": 10000.0, "bias": seed.bias, "qkv_bias": None, "tie_embeddings": True,
    }  # fmt: skip
    try:
        return load_config("teacher").update(
            recipe="seed", description=f"A checkpoint of {seed.title}, imported.", model=model,
            data={"template": seed.template}, training={"lr": 5e-4},
        )  # fmt: skip
    except ConfigError as problem:
        raise CheckpointError("{file}: a network that this program does not have: {problem}",
                              file=str(file), problem=problem.args[0]) from None  # fmt: skip


def _weights(seed: Seed, taker: Taker, model: ModelConfig) -> Generator[Event, None, dict[str, Tensor]]:
    """This program's tensors of the seed's."""
    width, inner, kv = model.n_embd, model.hidden, model.kv_heads * model.head_size
    rows = (taker.shape(f"{seed.embed}.weight") or (0,))[0]
    heights = {1: [width + 2 * kv], 3: [width, kv, kv]}[len(seed.qkv)]
    gain = math.sqrt(width) if seed.by_length else 1.0

    def norm(name: str) -> Tensor:
        return taker.take(f"{name}.{seed.gain}", (width,)) / gain

    def linear(name: str, block: str, parts: list[tuple[str, int]], columns: int) -> dict[str, Tensor]:
        """One of our linear layers of one or several of theirs, on top of each other."""
        found = {"weight": [taker.take(f"{block}.{part}.weight", (height, columns)) for part, height in parts]}
        if seed.bias:
            found["bias"] = [taker.take(f"{block}.{part}.bias", (height,)) for part, height in parts]
        return {f"{name}.{kind}": torch.cat(tensors) for kind, tensors in found.items()}

    weights = {"embed.weight": taker.take(f"{seed.embed}.weight", (rows, width))}
    for layer in range(model.n_layer):
        block = f"blocks.{layer}"
        for ours, theirs in zip(("norm1", "norm2"), seed.norms, strict=True):
            weights[f"{block}.{ours}.weight"] = norm(f"{block}.{theirs}")
        weights |= linear(f"{block}.attn.qkv", block, list(zip(seed.qkv, heights, strict=True)), width)
        weights |= linear(f"{block}.attn.proj", block, [(seed.proj, width)], width)
        weights |= linear(f"{block}.mlp.up", block, [(name, inner) for name in seed.up], width)
        weights |= linear(f"{block}.mlp.down", block, [(seed.down, width)], inner)
        yield Progress("importing", layer + 1, model.n_layer)
    weights["norm.weight"] = norm(seed.norm)
    head = taker.take(f"{seed.head}.weight", (rows, width)) if f"{seed.head}.weight" in taker else None
    if head is not None and not torch.equal(head, weights["embed.weight"]):
        raise CheckpointError("{file}: its output layer is not its embedding, as in these programs it is",
                              file=taker.source)  # fmt: skip
    taker.done()
    return weights
