"""A vocabulary given by the user: a ``tokenizer.json``, or GPT-2's own two files in one of their two spellings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import decoders, models, pre_tokenizers

from .errors import DataError
from .storage import read_json, read_text
from .text import first_line
from .tokenizer import GPT2_END, MAX_BYTES, Tokenizer

#: Tokens and merges, as Hugging Face and as OpenAI call them.
PAIRS = (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe"))


def load_vocabulary(path: Path) -> Tokenizer:
    """The tokenizer in a file, or in a folder with a ``tokenizer.json`` or GPT-2's files. Raises ``DataError``, also
    for one that reads only some bytes: data to be trained on would be lost in it."""
    if not path.is_dir():
        return _whole(Tokenizer.load(path), path)
    if (path / "tokenizer.json").is_file():
        return _whole(Tokenizer.load(path / "tokenizer.json"), path / "tokenizer.json")
    for tokens, merges in PAIRS:
        if (path / tokens).is_file() and (path / merges).is_file():
            return _gpt2(path / tokens, path / merges)
    raise DataError(
        "{path}: no vocabulary in it; expected tokenizer.json, or vocab.json with merges.txt, or encoder.json with "
        "vocab.bpe",
        path=str(path),
    )


def _whole(tokenizer: Tokenizer, path: Path) -> Tokenizer:
    if tokenizer.byte_level and not tokenizer.reads_everything:
        raise DataError("{file}: the byte alphabet is incomplete, some text could not be read", file=str(path))
    return tokenizer


def _gpt2(tokens_file: Path, merges_file: Path) -> Tokenizer:
    """Byte-level BPE as GPT-2 has it; a text begins and ends with its end token."""
    tokens = read_json(tokens_file, limit=MAX_BYTES, error=DataError)
    if not isinstance(tokens, dict) or not all(isinstance(number, int) for number in tokens.values()):
        raise DataError("{file}: not a vocabulary: expected tokens with their numbers", file=str(tokens_file))
    inner = _build(tokens, _read_merges(merges_file), tokens_file)
    return Tokenizer.from_json(inner.to_str(), str(tokens_file))


def _read_merges(path: Path) -> list[tuple[str, str]]:
    """One merge a line, two pieces with a blank between; a first line such as ``#version: 0.2`` says nothing."""
    merges: list[tuple[str, str]] = []
    # Line feeds only: a piece may hold U+0085, which in GPT-2's alphabet is no line break but a byte.
    for number, line in enumerate(read_text(path, limit=MAX_BYTES, error=DataError).split("\n"), 1):
        line = line.removesuffix("\r")
        if not line or (number == 1 and line.startswith("#version")):
            continue
        pieces = line.split(" ")
        if len(pieces) != 2 or not all(pieces):
            raise DataError("{file}:{line}: not a merge: expected two pieces", file=str(path), line=number)
        merges.append((pieces[0], pieces[1]))
    return merges


def _build(tokens: dict[str, Any], merges: list[tuple[str, str]], source: Path) -> tokenizers.Tokenizer:
    try:
        inner = tokenizers.Tokenizer(models.BPE(vocab=tokens, merges=merges))
    except Exception as problem:  # the library raises plain Exception for everything
        reason = first_line(problem, 120)
        raise DataError("{file}: not a tokenizer: {reason}", file=str(source), reason=reason) from None
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    inner.decoder = decoders.ByteLevel()
    if GPT2_END in tokens:
        inner.add_special_tokens([tokenizers.AddedToken(GPT2_END, special=True, normalized=False)])
    return inner
