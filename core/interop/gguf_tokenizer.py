"""A byte-level BPE tokenizer in the words of llama.cpp."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

import tokenizers
from tokenizers import models

from ..errors import DataError
from ..runs import LoadedModel
from ..schema import TokenizerConfig
from ..template import TEMPLATES
from ..tokenizer import Tokenizer, pre_tokenizer
from .chat_template import chat_template

if TYPE_CHECKING:
    from gguf import GGUFWriter

#: llama.cpp's name for GPT-2's rule of where merges end. It serves ``tokenizer.pieces`` = digits and characters too:
#: those cut more finely, but hardly a merge of theirs reaches across such a cut, having never been seen: only one of
#: a blank and the first byte of signs, where that begins numbers too (" →" and " ①").
PRE = "gpt-2"


@cache
def _known_rules() -> tuple[Any, ...]:
    found = []
    for pieces in get_args(TokenizerConfig.model_fields["pieces"].annotation):
        inner = tokenizers.Tokenizer(models.BPE())
        inner.pre_tokenizer = pre_tokenizer(pieces)
        found.append(json.loads(inner.to_str())["pre_tokenizer"])
    return tuple(found)


def check_tokenizer(tokenizer: Tokenizer) -> None:
    """Raises ``DataError`` for a vocabulary that llama.cpp would read otherwise."""
    if not tokenizer.byte_level:
        raise DataError("tokenizer.kind=char: llama.cpp has no tokenizer of single characters")
    value = json.loads(tokenizer.to_json())
    if value["normalizer"] or value["pre_tokenizer"] not in _known_rules() or value["model"].get("ignore_merges"):
        raise DataError("this vocabulary cuts text by a rule of its own, which a GGUF file cannot name")


def add_tokenizer(writer: GGUFWriter, loaded: LoadedModel) -> None:
    """Tokens, merges, special tokens and the chat template."""
    from gguf import TokenType

    tokenizer = loaded.tokenizer
    value = json.loads(tokenizer.to_json())
    plain = {token["id"] for token in value["added_tokens"] if not token["special"]}
    types = [
        TokenType.CONTROL if i in tokenizer.special else TokenType.USER_DEFINED if i in plain else TokenType.NORMAL
        for i in range(tokenizer.vocab_size)
    ]
    names = {number: token for token, number in value["model"]["vocab"].items()}
    names |= {token["id"]: token["content"] for token in value["added_tokens"]}
    template = TEMPLATES[loaded.config.data.template]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE)
    writer.add_token_list([names[i] for i in range(tokenizer.vocab_size)])
    writer.add_token_types(types)
    writer.add_token_merges(
        [merge if isinstance(merge, str) else " ".join(merge) for merge in value["model"]["merges"]]
    )
    writer.add_bos_token_id(tokenizer.bos)
    writer.add_eos_token_id(tokenizer.eos)
    writer.add_pad_token_id(tokenizer.pad)
    writer.add_add_bos_token(template.bos)
    writer.add_chat_template(chat_template(template, clean=False))
