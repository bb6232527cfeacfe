"""A run as a folder that ``transformers`` loads: weights, settings, tokenizer with its chat template, model card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..runs import LoadedModel, Run
from ..schema import SamplingConfig
from ..storage import atomic_folder, write_json, write_text
from ..template import TEMPLATES
from ..tokenizer import UNK, Tokenizer
from ..weights_file import write_safetensors
from .architectures import Architecture, architecture_of
from .card import model_card
from .chat_template import chat_template
from .targets import check_folder, full_weights

WEIGHTS = "model.safetensors"
FILES = (
    "README.md", "config.json", "generation_config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json",
)  # fmt: skip


def export_hf(run: Run, loaded: LoadedModel, target: Path, *, force: bool = False) -> Architecture:
    """Write the folder ``target``, whole or not at all; returns what the model is called there.

    Raises ``UserError`` where no architecture of ``transformers`` computes the same, or the folder must not be
    written.
    """
    architecture = architecture_of(loaded.config.model)
    check_folder(target, force, FILES)
    weights = architecture.state_dict(loaded.config.model, full_weights(loaded))
    with atomic_folder(target) as folder:
        write_json(folder / "config.json", model_settings(loaded, architecture))
        write_json(folder / "generation_config.json", generation_settings(loaded))
        write_safetensors(folder / WEIGHTS, weights, {"format": "pt"})
        write_text(folder / "tokenizer.json", tokenizer_json(loaded.tokenizer))
        write_json(folder / "tokenizer_config.json", tokenizer_settings(loaded))
        write_json(folder / "special_tokens_map.json", special_tokens(loaded.tokenizer))
        write_text(folder / "README.md", model_card(run, loaded, architecture.name))
    return architecture


def model_settings(loaded: LoadedModel, architecture: Architecture) -> dict[str, Any]:
    """``config.json``."""
    tokenizer = loaded.tokenizer
    return {**architecture.config(loaded.config.model, tokenizer.vocab_size), **special_ids(tokenizer)}


def special_ids(tokenizer: Tokenizer) -> dict[str, int]:
    return {"bos_token_id": tokenizer.bos, "eos_token_id": tokenizer.eos, "pad_token_id": tokenizer.pad}


def generation_settings(loaded: LoadedModel) -> dict[str, Any]:
    """``generation_config.json``: how the run answers. Its stop strings are not in it: ``generate`` then refuses to
    work where nobody hands it the tokenizer; the model card shows how."""
    tokenizer, sampling = loaded.tokenizer, loaded.config.sampling
    return {
        **special_ids(tokenizer),
        **_drawing(sampling),
        "max_new_tokens": sampling.max_new_tokens,
        "min_new_tokens": sampling.min_new_tokens,
        "repetition_penalty": sampling.repetition_penalty,
        "suppress_tokens": sorted(tokenizer.special - {tokenizer.eos}) or None,
    }


def _drawing(sampling: SamplingConfig) -> dict[str, Any]:
    """Only what a draw uses: the library warns of a temperature where nothing is drawn."""
    if sampling.temperature == 0.0:
        return {"do_sample": False}
    top_k = sampling.top_k or 0  # 0: all; left out it would be 50
    return {"do_sample": True, "temperature": sampling.temperature, "top_k": top_k, "top_p": sampling.top_p}


def tokenizer_json(tokenizer: Tokenizer) -> str:
    """``tokenizer.json`` that adds nothing to a text: the chat template puts the special tokens in their places."""
    value = json.loads(tokenizer.to_json())
    value["post_processor"] = None
    return json.dumps(value, ensure_ascii=False)


def special_tokens(tokenizer: Tokenizer) -> dict[str, str]:
    """``special_tokens_map.json``: role to token."""
    found = {f"{role}_token": tokenizer.token_text(getattr(tokenizer, role)) for role in ("bos", "eos", "pad")}
    if UNK in map(tokenizer.token_text, tokenizer.special):
        found["unk_token"] = UNK
    return found


def tokenizer_settings(loaded: LoadedModel) -> dict[str, Any]:
    """``tokenizer_config.json``."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **special_tokens(loaded.tokenizer),
        "model_max_length": loaded.config.model.seq_len,
        "clean_up_tokenization_spaces": False,
        "chat_template": chat_template(TEMPLATES[loaded.config.data.template]),
    }
