"""A run as one GGUF file for llama.cpp: settings, tokenizer, chat template and weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import UserError
from ..runs import LoadedModel, Run
from ..schema import ModelConfig
from ..storage import atomic_path
from .architectures import ARCEE, LLAMA, Architecture, Weights, architecture_of, no_equivalent, with_constant_gate
from .gguf_tokenizer import add_tokenizer, check_tokenizer
from .targets import check_file, full_weights

if TYPE_CHECKING:
    from gguf import GGUFWriter

#: What matrices are stored as; norms, biases and learned positions stay fp32.
TYPES = ("f32", "f16", "q8_0")
LARGEST_F16 = 65504.0

NAMES = {
    "embed": "token_embd", "position": "position_embd", "norm": "output_norm", "head": "output",
    "norm1": "blk.{i}.attn_norm", "norm2": "blk.{i}.ffn_norm",
    "qkv": "blk.{i}.attn_qkv", "q": "blk.{i}.attn_q", "k": "blk.{i}.attn_k", "v": "blk.{i}.attn_v",
    "proj": "blk.{i}.attn_output",
    "gate": "blk.{i}.ffn_gate", "up": "blk.{i}.ffn_up", "down": "blk.{i}.ffn_down",
}  # fmt: skip


def export_gguf(run: Run, loaded: LoadedModel, target: Path, kind: str, *, force: bool = False) -> Architecture:
    """Write the file ``target``, whole or not at all; ``kind`` is one of ``TYPES``. Returns the architecture.

    Raises ``UserError`` where llama.cpp has no model or tokenizer that computes the same, where ``gguf`` is not
    installed, or where the file must not be written.
    """
    model = loaded.config.model
    architecture = gguf_architecture(model)
    check_tokenizer(loaded.tokenizer)
    check_file(target, force)
    writer_class = _writer_class()
    tensors = gguf_tensors(architecture, model, full_weights(loaded))
    with atomic_path(target) as temporary:
        writer = writer_class(temporary, architecture.gguf)
        try:
            writer.add_name(run.name)
            _add_settings(writer, architecture, loaded)
            add_tokenizer(writer, loaded)
            _add_tensors(writer, tensors, kind)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
        finally:
            writer.close()
    return architecture


def _writer_class() -> type[GGUFWriter]:
    try:
        from gguf import GGUFWriter
    except ImportError:
        raise UserError("gguf is not installed; to have it: pip install gguf") from None
    return GGUFWriter


def gguf_architecture(model: ModelConfig) -> Architecture:
    """The architecture that llama.cpp computes the same way. Raises ``UserError`` naming the setting.

    Its ``arcee`` has relu squared and no biases: seed 000's shape is ``llama`` with a gate instead. Its ``gpt2`` and
    ``starcoder2`` have GELU alone, and heads that are together as wide as the model.
    """
    architecture = architecture_of(model, "llama.cpp")
    if architecture is ARCEE and model.mlp != "silu":
        raise no_equivalent(model, "llama.cpp", "mlp", "norm")
    if architecture not in (LLAMA, ARCEE) and model.mlp != "gelu":
        raise no_equivalent(model, "llama.cpp", "mlp", "norm")
    if architecture not in (LLAMA, ARCEE) and model.attention_width != model.n_embd:
        raise no_equivalent(model, "llama.cpp", "norm", "head_dim")
    return architecture


def gguf_tensors(architecture: Architecture, model: ModelConfig, weights: Weights) -> Weights:
    """fp32 tensors under llama.cpp's names. ``llama`` turns neighbouring numbers of a head together, this program
    (and Hugging Face's Llama) a number with the one half a head away: rows of query and key change places."""
    parts = architecture.parts(model, weights)
    if architecture is ARCEE:
        parts = with_constant_gate(parts)
    found: Weights = {}
    for name, tensor in parts.items():
        layer, part, kind = name.split(".")[0], *name.split(".")[-2:]
        if architecture.gguf == "llama" and part in ("q", "k"):
            tensor = interleave_halves(tensor, model.n_head if part == "q" else model.kv_heads)
        found[f"{NAMES[part].format(i=layer)}.{kind}"] = tensor
    return found


def interleave_halves(tensor: Tensor, heads: int) -> Tensor:
    """(heads * head_dim, …): the rows 0 1 2 … of a head in the order 0 h 1 h+1 …, h being half the head."""
    halves = tensor.view(heads, 2, len(tensor) // heads // 2, *tensor.shape[1:])
    return halves.transpose(1, 2).reshape(tensor.shape)


def _add_settings(writer: GGUFWriter, architecture: Architecture, loaded: LoadedModel) -> None:
    model = loaded.config.model
    writer.add_vocab_size(loaded.tokenizer.vocab_size)
    writer.add_context_length(model.seq_len)
    writer.add_embedding_length(model.n_embd)
    writer.add_block_count(model.n_layer)
    writer.add_feed_forward_length(model.hidden)
    writer.add_head_count(model.n_head)
    writer.add_head_count_kv(model.n_head if architecture.fused_qkv else model.kv_heads)
    if not architecture.fused_qkv:
        writer.add_key_length(model.head_size)
        writer.add_value_length(model.head_size)
    if model.norm == "rmsnorm":
        writer.add_layer_norm_rms_eps(model.norm_eps)
    else:
        writer.add_layer_norm_eps(model.norm_eps)
    if model.position == "rope":
        writer.add_rope_dimension_count(model.head_size)
        writer.add_rope_freq_base(model.rope_theta)


def _add_tensors(writer: GGUFWriter, tensors: Weights, kind: str) -> None:
    import gguf

    types = gguf.GGMLQuantizationType
    files = gguf.LlamaFileType
    file_type = {"f32": files.ALL_F32, "f16": files.MOSTLY_F16, "q8_0": files.MOSTLY_Q8_0}[kind]
    writer.add_file_type(file_type)
    if kind == "q8_0":
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for name, tensor in tensors.items():
        stored = kind if tensor.ndim > 1 and not name.startswith(NAMES["position"]) else "f32"
        if stored == "q8_0" and tensor.shape[-1] % 32:  # its blocks are 32 numbers of one row
            stored = "f16"
        if stored == "f16" and float(tensor.abs().max()) > LARGEST_F16:
            raise UserError("{name}: a weight of {value:g} is too large for f16; use --type f32",
                            name=name, value=float(tensor.abs().max()))  # fmt: skip
        values: Any = tensor.to(torch.float16 if stored == "f16" else torch.float32).contiguous().numpy()
        dtype = {"f32": types.F32, "f16": types.F16, "q8_0": types.Q8_0}[stored]
        if stored == "q8_0":
            values = gguf.quants.quantize(values, types.Q8_0)
        writer.add_tensor(name, values, raw_dtype=dtype)
