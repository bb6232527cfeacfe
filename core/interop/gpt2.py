"""GPT-2 (Radford et al. 2019) from a folder: Hugging Face's files, or OpenAI's own as TensorFlow wrote them.

Its parts are this program's own with other names: LayerNorm, GELU in the tanh form, learnt positions, one matrix for
query, key and value, a tied output layer. Only the matrices of its linear layers lie the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..config import Config, load_config
from ..errors import CheckpointError, ConfigError, Phrase
from ..events import Event, Progress
from ..schema import ModelConfig
from ..storage import read_json
from ..vocabulary import load_vocabulary
from .install import Foreign, provenance
from .safetensors_file import read_safetensors_file
from .tensorflow_bundle import read_bundle
from .tensors import Stored, Taker, Tensors, require_memory
from .torch_file import read_torch_file

#: The names people use, and how many layers, heads and numbers per token that is.
SIZES = {"124M": (12, 12, 768), "355M": (24, 16, 1024), "774M": (36, 20, 1280), "1558M": (48, 25, 1600)}

#: GPT-2's activations by the names of Hugging Face, as ``model.mlp``.
ACTIVATIONS = {"gelu_new": "gelu", "gelu_pytorch_tanh": "gelu", "relu": "relu", "silu": "silu", "swish": "silu"}

#: In a block: our name, GPT-2's, and its shape in widths (w) and inner widths (i), as (in, out).
BLOCK = (
    ("norm1", "ln_1", "w"),
    ("attn.qkv", "attn.c_attn", "w 3w"),
    ("attn.proj", "attn.c_proj", "w w"),
    ("norm2", "ln_2", "w"),
    ("mlp.up", "mlp.c_fc", "w i"),
    ("mlp.down", "mlp.c_proj", "i w"),
)

#: Hugging Face once saved the causal mask of each block with its weights.
_MASKS = re.compile(r"h\.\d+\.attn\.(bias|masked_bias)")

#: What a folder may hold the weights in, the first one found is taken.
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")

#: And its vocabulary.
_VOCABULARY = ("tokenizer.json", "vocab.json", "merges.txt", "encoder.json", "vocab.bpe")


def read_gpt2(folder: Path) -> Generator[Event, None, Foreign]:
    """The model in a folder, with its vocabulary. Raises ``CheckpointError`` or ``DataError`` in one line."""
    if not folder.is_dir():
        problem = "{path}: is a file, expected the folder it lies in" if folder.exists() else "{path}: no such folder"
        raise CheckpointError(problem, path=str(folder))
    if (folder / "hparams.json").is_file():
        files, shape, tensors = _openai(folder)
    elif (folder / "config.json").is_file():
        files, shape, tensors = _hugging_face(folder)
    else:
        raise CheckpointError(
            "{path}: no GPT-2 in it; expected config.json with model.safetensors or pytorch_model.bin, or OpenAI's "
            "hparams.json with model.ckpt.index and model.ckpt.data-00000-of-00001", path=str(folder),
        )  # fmt: skip
    tokenizer = load_vocabulary(folder)
    taker = Taker(tensors, str(files[-1]))
    rows = (taker.shape("wte.weight") or (0,))[0]
    config = _config(shape, rows, files[0])
    require_memory(config.model, rows, str(folder))
    weights = yield from _weights(taker, config.model, rows)
    if "head.weight" in weights:
        config = config.update({"model.tie_embeddings": False})
    vocabulary_files = [path for path in sorted(folder.iterdir()) if path.name in _VOCABULARY]
    about = provenance("gpt2", folder, [*files, *vocabulary_files])
    return Foreign(_named(config), tokenizer, weights, about, size_name(config.model))


@dataclass(frozen=True)
class Shape:
    """What a file of settings says of a GPT-2."""

    n_layer: int
    n_head: int
    n_embd: int
    seq_len: int
    vocab_size: int
    mlp: str = "gelu"
    mlp_hidden: int | None = None
    norm_eps: float = 1e-5
    dropout: float = 0.1


def size_name(model: ModelConfig) -> str:
    """'gpt2-124M' for one of the four published, else by its width."""
    for name, shape in SIZES.items():
        if shape == (model.n_layer, model.n_head, model.n_embd):
            return f"gpt2-{name}"
    return f"gpt2-{model.n_layer}x{model.n_embd}"


def _named(config: Config) -> Config:
    name = size_name(config.model)
    return config.update(description=f"{name}, imported. What is not of the model is for training it further.")


def _config(shape: Shape, rows: int, file: Path) -> Config:
    """All settings of the run: the recipe for plain text with this model in it, and a rate for trained weights."""
    model = {
        "n_layer": shape.n_layer, "n_head": shape.n_head, "n_kv_head": None, "n_embd": shape.n_embd,
        "seq_len": shape.seq_len, "dropout": shape.dropout, "norm": "layernorm", "norm_eps": shape.norm_eps,
        "mlp": shape.mlp, "mlp_hidden": shape.mlp_hidden, "position": "learned", "bias": True, "qkv_bias": None,
        "tie_embeddings": True,
    }  # fmt: skip
    if rows != shape.vocab_size:
        raise CheckpointError("{file}: it says {said} tokens, the weights have {rows}",
                              file=str(file), said=shape.vocab_size, rows=rows)  # fmt: skip
    try:
        return load_config("pretrain-quick").update(
            recipe="gpt2", model=model, data={"stride": None},
            training={"lr": 5e-5, "min_lr": 0.0, "weight_decay": 0.01},
        )  # fmt: skip
    except ConfigError as problem:
        raise CheckpointError("{file}: a network that this program does not have: {problem}",
                              file=str(file), problem=problem.args[0]) from None  # fmt: skip


def _weights(taker: Taker, model: ModelConfig, rows: int) -> Generator[Event, None, dict[str, Tensor]]:
    """This program's tensors of GPT-2's."""
    width, inner = model.n_embd, model.hidden
    sides = {"w": width, "3w": 3 * width, "i": inner}
    weights = {
        "embed.weight": taker.take("wte.weight", (rows, width)),
        "position.weight": taker.take("wpe.weight", (model.seq_len, width)),
    }
    for layer in range(model.n_layer):
        for ours, theirs, letters in BLOCK:
            shape = tuple(sides[letter] for letter in letters.split())
            old, new = f"h.{layer}.{theirs}", f"blocks.{layer}.{ours}"
            weights[f"{new}.weight"] = taker.take(f"{old}.weight", shape, transpose=len(shape) == 2)
            weights[f"{new}.bias"] = taker.take(f"{old}.bias", shape[-1:])
        yield Progress("importing", layer + 1, model.n_layer)
    for part in ("weight", "bias"):
        weights[f"norm.{part}"] = taker.take(f"ln_f.{part}", (width,))
    if "lm_head.weight" in taker:
        head = taker.take("lm_head.weight", (rows, width))
        if not torch.equal(head, weights["embed.weight"]):
            weights["head.weight"] = head
    taker.skip(lambda name: _MASKS.fullmatch(name) is not None)
    taker.done()
    return weights


# -- Hugging Face's files -----------------------------------------------------------------------------------


def _hugging_face(folder: Path) -> tuple[list[Path], Shape, Tensors]:
    settings = folder / "config.json"
    shape = _shape_of(read_json(settings, limit=1_000_000, error=CheckpointError), settings)
    for name in _WEIGHTS:
        if (folder / name).is_file():
            files, tensors = read_weights(folder / name)
            return [settings, *files], shape, _without_prefix(tensors)
    raise CheckpointError("{path}: no weights in it; expected model.safetensors or pytorch_model.bin",
                          path=str(folder))  # fmt: skip


def read_weights(path: Path) -> tuple[list[Path], dict[str, Stored]]:
    """Files and tensors of a safetensors or torch file, or of an index of several. Raises ``CheckpointError``."""
    if path.name.endswith(".index.json"):
        index = read_json(path, error=CheckpointError)
        parts = index.get("weight_map") if isinstance(index, dict) else None
        if not isinstance(parts, dict) or not all(isinstance(part, str) for part in parts.values()):
            raise CheckpointError("{file}: not an index of weights: expected a weight_map", file=str(path))
        names = sorted(set(parts.values()))
        for name in names:
            if Path(name).name != name or "\\" in name:
                raise CheckpointError("{file}: it refers to {name}, outside its own folder", file=str(path), name=name)
        found: dict[str, Stored] = {}
        for name in names:
            found |= read_weights(path.parent / name)[1]
        return [path, *(path.parent / name for name in names)], found
    if path.suffix == ".safetensors":
        return [path], read_safetensors_file(path)
    value = read_torch_file(path)
    if not isinstance(value, dict) or not any(isinstance(item, Stored) for item in value.values()):
        raise CheckpointError("{file}: not a file of weights: expected tensors by name", file=str(path))
    return [path], {str(name): item for name, item in value.items() if isinstance(item, Stored)}


def _without_prefix(tensors: Tensors) -> dict[str, Stored]:
    return {name.removeprefix("transformer."): stored for name, stored in tensors.items()}


def _shape_of(settings: Any, file: Path) -> Shape:
    """What a ``config.json`` says; what it leaves out has the default of Hugging Face's GPT2Config."""
    if not isinstance(settings, dict):
        raise CheckpointError("{file}: not the settings of a model", file=str(file))
    kind = settings.get("model_type", "gpt2")
    if kind != "gpt2":
        raise CheckpointError(
            "{file}: model_type: {found}: only gpt2 can be imported", file=str(file), found=repr(kind)
        )
    for key, wanted in (
        ("scale_attn_weights", True), ("scale_attn_by_inverse_layer_idx", False), ("add_cross_attention", False),
    ):  # fmt: skip
        if settings.get(key, wanted) is not wanted:
            raise CheckpointError("{file}: {key}: {found}: only {wanted} can be imported",
                                  file=str(file), key=key, found=repr(settings[key]), wanted=wanted)  # fmt: skip
    activation = settings.get("activation_function", "gelu_new")
    if activation not in ACTIVATIONS:
        raise CheckpointError("{file}: activation_function: {found}: only {names} can be imported",
                              file=str(file), found=repr(activation)[:80], names=", ".join(ACTIVATIONS))  # fmt: skip
    number = Numbers(settings, file)
    inner = number.whole("n_inner", 0) if settings.get("n_inner") is not None else None
    return Shape(
        number.whole("n_layer", 12), number.whole("n_head", 12), number.whole("n_embd", 768),
        number.whole("n_positions", 1024), number.whole("vocab_size", 50257), ACTIVATIONS[activation], inner,
        number.real("layer_norm_epsilon", 1e-5), number.real("resid_pdrop", 0.1),
    )  # fmt: skip


class Numbers:
    """Numbers of a foreign file of settings. Raises ``CheckpointError`` where one is none."""

    def __init__(self, settings: Mapping[str, Any], file: Path) -> None:
        self._settings, self._file = settings, str(file)

    def whole(self, key: str, default: int | None = None) -> int:
        value = self._settings.get(key, default)
        if type(value) is not int or not 0 < value < 2**31:
            raise self._wrong(key, value, Phrase("a whole number above 0"))
        return value

    def real(self, key: str, default: float) -> float:
        value = self._settings.get(key, default)
        if type(value) not in (int, float) or not 0 <= value < 1e9:
            raise self._wrong(key, value, Phrase("a number"))
        return float(value)

    def _wrong(self, key: str, value: Any, wanted: Phrase) -> CheckpointError:
        found = (
            Phrase("nothing") if value is None else repr(value)[:80] if isinstance(value, (int, float, str)) else "…"
        )
        return CheckpointError("{file}: {key}: found {found}, expected {wanted}",
                               file=self._file, key=key, found=found, wanted=wanted)  # fmt: skip


# -- OpenAI's files -----------------------------------------------------------------------------------------


def _openai(folder: Path) -> tuple[list[Path], Shape, Tensors]:
    settings = folder / "hparams.json"
    values = read_json(settings, limit=1_000_000, error=CheckpointError)
    if not isinstance(values, dict):
        raise CheckpointError("{file}: not the settings of a model", file=str(settings))
    number = Numbers(values, settings)
    shape = Shape(
        number.whole("n_layer"), number.whole("n_head"), number.whole("n_embd"), number.whole("n_ctx"),
        number.whole("n_vocab"),
    )  # fmt: skip
    files, tensors = read_bundle(folder / "model.ckpt")
    return [settings, *files], shape, {_renamed(name): _squeezed(stored) for name, stored in tensors.items()}


def _renamed(name: str) -> str:
    """``model/h0/attn/c_attn/w`` as ``h.0.attn.c_attn.weight``."""
    pieces = name.removeprefix("model/").split("/")
    block = re.fullmatch(r"h(\d+)", pieces[0])
    if block:
        pieces[:1] = ["h", block[1]]
    if pieces in (["wte"], ["wpe"]):
        pieces.append("weight")
    else:
        pieces[-1] = {"g": "weight", "w": "weight", "b": "bias"}.get(pieces[-1], pieces[-1])
    return ".".join(pieces)


def _squeezed(stored: Stored) -> Stored:
    """OpenAI's linear layers are convolutions of width 1: (1, in, out)."""
    if len(stored.shape) == 3 and stored.shape[0] == 1:
        return Stored(stored.shape[1:], stored.dtype, lambda: stored.read()[0])
    return stored
