"""Which published architecture a model is, and its weights under that architecture's names.

The same few parts stand in all of them – embedding, norms, query, key, value, output, gate, up, down. They differ in
names, in which biases must be there, and in how a matrix lies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import UserError
from ..schema import ModelConfig

Weights = dict[str, Tensor]

#: The parts of a block whose biases go by one setting in most architectures.
ATTENTION = frozenset({"q", "k", "v", "qkv", "proj"})
FEED_FORWARD = frozenset({"gate", "up", "down"})
NORMS = frozenset({"norm1", "norm2", "norm"})

_LAYER = "model.layers.{i}."
_LLAMA_NAMES = {
    "embed": "model.embed_tokens", "norm": "model.norm", "head": "lm_head",
    "norm1": _LAYER + "input_layernorm", "norm2": _LAYER + "post_attention_layernorm",
    "q": _LAYER + "self_attn.q_proj", "k": _LAYER + "self_attn.k_proj", "v": _LAYER + "self_attn.v_proj",
    "proj": _LAYER + "self_attn.o_proj",
    "gate": _LAYER + "mlp.gate_proj", "up": _LAYER + "mlp.up_proj", "down": _LAYER + "mlp.down_proj",
}  # fmt: skip
_GPT2_NAMES = {
    "embed": "transformer.wte", "position": "transformer.wpe", "norm": "transformer.ln_f", "head": "lm_head",
    "norm1": "transformer.h.{i}.ln_1", "norm2": "transformer.h.{i}.ln_2",
    "qkv": "transformer.h.{i}.attn.c_attn", "proj": "transformer.h.{i}.attn.c_proj",
    "up": "transformer.h.{i}.mlp.c_fc", "down": "transformer.h.{i}.mlp.c_proj",
}  # fmt: skip
_STARCODER2_NAMES = {**_LLAMA_NAMES, "up": _LAYER + "mlp.c_fc", "down": _LAYER + "mlp.c_proj"}

_ACTIVATIONS = {"silu": "silu", "swiglu": "silu", "gelu": "gelu_pytorch_tanh", "relu": "relu"}


@dataclass(frozen=True)
class Architecture:
    """One class of ``transformers``, and llama.cpp's word for the same network."""

    name: str
    model_type: str
    gguf: str
    names: Mapping[str, str]
    """Part to the name of its module, ``{i}`` the number of the block."""
    settings: Callable[[ModelConfig], dict[str, Any]]
    """What ``config.json`` says beyond ``_shape``."""
    bias_groups: tuple[frozenset[str], ...]
    """Parts that have biases all together or not at all."""
    always_biased: frozenset[str] = frozenset()
    fused_qkv: bool = False

    def config(self, model: ModelConfig, vocab_size: int) -> dict[str, Any]:
        """``config.json``, but for the tokens that only the tokenizer knows."""
        return {
            "architectures": [self.name],
            "model_type": self.model_type,
            "vocab_size": vocab_size,
            "tie_word_embeddings": model.tie_embeddings,
            "initializer_range": 0.02,
            "torch_dtype": "float32",
            **self.settings(model),
        }

    def parts(self, model: ModelConfig, weights: Mapping[str, Tensor]) -> Weights:
        """Weights as ``part.weight``, ``3.q.bias``, …, with zeros for the biases that this architecture expects."""
        found = split_parts(model, weights, fused=self.fused_qkv)
        for group in (*self.bias_groups, self.always_biased):
            members = [name for name in found if _part(name) in group and name.endswith(".weight")]
            biased = group is self.always_biased or any(_bias_of(name) in found for name in members)
            for name in members if biased else []:
                found.setdefault(_bias_of(name), torch.zeros(len(found[name])))
        return found

    def state_dict(self, model: ModelConfig, weights: Mapping[str, Tensor]) -> Weights:
        """The tensors of ``model.safetensors``."""
        found = {}
        for name, tensor in self.parts(model, weights).items():
            part = _part(name)
            layer, kind = name.split(".")[0], name.rpartition(".")[2]
            if self.fused_qkv and kind == "weight" and part in ("qkv", "proj", "up", "down"):
                tensor = tensor.t()  # GPT-2's Conv1D is (in, out)
            found[f"{self.names[part].format(i=layer)}.{kind}"] = tensor.contiguous()
        return found


def _part(name: str) -> str:
    return name.split(".")[-2]


def _bias_of(name: str) -> str:
    return name.removesuffix("weight") + "bias"


def split_parts(model: ModelConfig, weights: Mapping[str, Tensor], fused: bool) -> Weights:
    """A model's weights by part: ``embed.weight``, ``0.q.weight`` (heads * head_dim, width), ….

    ``fused``: query, key and value stay one matrix, and each head gets keys and values of its own – repeated, where
    several share them here.
    """
    found: Weights = {}
    sizes = [heads * model.head_size for heads in (model.n_head, model.kv_heads, model.kv_heads)]
    for name, tensor in weights.items():
        pieces = name.split(".")
        if pieces[0] != "blocks":
            found[name] = tensor
            continue
        layer, part, kind = pieces[1], pieces[-2], pieces[-1]
        if part == "qkv":
            q, k, v = torch.split(tensor, sizes)
            if fused:
                found[f"{layer}.qkv.{kind}"] = torch.cat([q, _repeat_heads(model, k), _repeat_heads(model, v)])
            else:
                found |= {f"{layer}.{part}.{kind}": piece for part, piece in zip("qkv", (q, k, v), strict=True)}
        elif part == "up" and model.mlp == "swiglu":
            found[f"{layer}.gate.{kind}"], found[f"{layer}.up.{kind}"] = tensor.chunk(2)
        else:
            found[f"{layer}.{part}.{kind}"] = tensor
    return found


def _repeat_heads(model: ModelConfig, tensor: Tensor) -> Tensor:
    """(kv_heads * head_dim, …) to (n_head * head_dim, …)."""
    heads = tensor.view(model.kv_heads, model.head_size, *tensor.shape[1:])
    return heads.repeat_interleave(model.n_head // model.kv_heads, dim=0).flatten(0, 1)


def with_constant_gate(parts: Mapping[str, Tensor]) -> Weights:
    """silu(up x) as the gated silu(gate x) * (up' x + 1): the old 'up' is the gate, up' is zero."""
    found: Weights = {}
    for name, tensor in parts.items():
        if _part(name) != "up":
            found[name] = tensor
            continue
        layer = name.split(".")[0]
        found[name.replace(".up.", ".gate.")] = tensor
        found[f"{layer}.up.weight"] = torch.zeros_like(parts[f"{layer}.up.weight"])
        found[f"{layer}.up.bias"] = torch.ones(len(tensor))
    return found


def _attention_bias(model: ModelConfig) -> bool:
    return model.bias or bool(model.qkv_bias)


def _shape(model: ModelConfig) -> dict[str, Any]:
    """Settings that Llama and its relatives call the same."""
    return {
        "hidden_size": model.n_embd,
        "intermediate_size": model.hidden,
        "num_hidden_layers": model.n_layer,
        "num_attention_heads": model.n_head,
        "num_key_value_heads": model.kv_heads,
        "head_dim": model.head_size,
        "hidden_act": _ACTIVATIONS[model.mlp],
        "max_position_embeddings": model.seq_len,
        "rope_theta": model.rope_theta,  # before transformers 5
        "rope_parameters": {"rope_type": "default", "rope_theta": model.rope_theta},
        "attention_dropout": model.dropout,
    }


def _llama(model: ModelConfig) -> dict[str, Any]:
    return {
        **_shape(model),
        "rms_norm_eps": model.norm_eps,
        "attention_bias": _attention_bias(model),
        "mlp_bias": model.bias,
    }


def _starcoder2(model: ModelConfig) -> dict[str, Any]:
    dropout = dict.fromkeys(("residual_dropout", "embedding_dropout"), model.dropout)
    return {
        **_shape(model),
        **dropout,
        "norm_epsilon": model.norm_eps,
        "use_bias": _attention_bias(model),
        "sliding_window": None,
    }


def _gpt2(model: ModelConfig) -> dict[str, Any]:
    return {
        "n_embd": model.n_embd,
        "n_inner": model.hidden,
        "n_layer": model.n_layer,
        "n_head": model.n_head,
        "n_positions": model.seq_len,
        "activation_function": "gelu_new" if model.mlp == "gelu" else _ACTIVATIONS[model.mlp],
        "layer_norm_epsilon": model.norm_eps,
        **dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), model.dropout),
    }


LLAMA = Architecture("LlamaForCausalLM", "llama", "llama", _LLAMA_NAMES, _llama, (ATTENTION, FEED_FORWARD))
ARCEE = Architecture("ArceeForCausalLM", "arcee", "llama", _LLAMA_NAMES, _llama, (ATTENTION, FEED_FORWARD))
STARCODER2 = Architecture(
    "Starcoder2ForCausalLM", "starcoder2", "starcoder2", _STARCODER2_NAMES, _starcoder2,
    (ATTENTION | FEED_FORWARD,), NORMS,
)  # fmt: skip
GPT2 = Architecture(
    "GPT2LMHeadModel", "gpt2", "gpt2", _GPT2_NAMES, _gpt2, (), ATTENTION | FEED_FORWARD | NORMS, fused_qkv=True
)


def architecture_of(model: ModelConfig, program: str = "transformers") -> Architecture:
    """The architecture that computes the very same. Raises ``UserError`` naming the setting where there is none."""
    if model.norm == "scalenorm":
        raise no_equivalent(model, program, "norm")
    if model.position == "learned":
        if model.norm == "rmsnorm":
            raise no_equivalent(model, program, "position", "norm")
        if model.mlp == "swiglu":
            raise no_equivalent(model, program, "mlp", "position")
        if model.attention_width != model.n_embd:
            raise no_equivalent(model, program, "position", "head_dim")
        return GPT2
    if model.norm == "rmsnorm":
        return LLAMA if model.mlp == "swiglu" else ARCEE
    if model.mlp == "swiglu":
        raise no_equivalent(model, program, "mlp", "norm")
    return STARCODER2


def no_equivalent(model: ModelConfig, program: str, *settings: str) -> UserError:
    """Why a model cannot go to a program: none of its models is built like that."""
    return UserError(
        "{settings}: {program} has no model that is built like this",
        settings=", ".join(f"model.{name}={getattr(model, name)}" for name in settings),
        program=program,
    )
