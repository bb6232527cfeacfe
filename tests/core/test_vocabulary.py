"""GPT-2's own vocabulary from its files: its numbers, its end token, any text back exactly."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import decoders, models, pre_tokenizers

from core.errors import DataError
from core.tokenizer import _BYTE_TO_CHAR, GPT2_END, Tokenizer
from core.vocabulary import load_vocabulary

MERGES = [("h", "e"), ("l", "l"), ("he", "ll"), ("hell", "o"), ("Ġ", "w"), ("o", "r"), ("Ġw", "or"), ("æ", "°"),
          ("æ°", "´"), ("Â", "ł")]  # fmt: skip
TOKENS = {token: i for i, token in enumerate([*_BYTE_TO_CHAR, *(a + b for a, b in MERGES), GPT2_END])}


@pytest.fixture
def files(tmp_path: Path) -> Callable[[str, str], Path]:
    """A function that writes GPT-2's two files under the given names, and returns their folder."""

    def write(tokens: str, merges: str) -> Path:
        (tmp_path / tokens).write_text(json.dumps(TOKENS), encoding="utf-8")
        lines = ["#version: 0.2", *(" ".join(pair) for pair in MERGES), ""]
        (tmp_path / merges).write_text("\n".join(lines), encoding="utf-8")
        return tmp_path

    return write


@pytest.mark.parametrize("names", [("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe")])
def test_both_spellings_of_its_files(files: Callable[[str, str], Path], names: tuple[str, str]) -> None:
    tokenizer = load_vocabulary(files(*names))
    assert tokenizer.vocab_size == 256 + len(MERGES) + 1
    assert tokenizer.encode("hello world") == [TOKENS[t] for t in ("hello", "Ġwor", "l", "d")]
    assert tokenizer.encode("水") == [TOKENS["æ°´"]]
    assert tokenizer.bos == tokenizer.eos == TOKENS[GPT2_END]
    assert tokenizer.encode(GPT2_END) != [tokenizer.eos]


def test_it_is_the_tokenizer_that_the_library_would_build(files: Callable[[str, str], Path]) -> None:
    inner = tokenizers.Tokenizer(models.BPE(vocab=TOKENS, merges=MERGES))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    ours = load_vocabulary(files("vocab.json", "merges.txt"))
    for text in ("hello, hello world's  12 worlds\n", "水 鲸\u00a0é", "\x85\u2028"):
        assert ours.encode(text) == inner.encode(text).ids


@given(st.text())
def test_any_text_comes_back(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "gpt2"
    if not folder.exists():
        folder.mkdir()
        (folder / "vocab.json").write_text(json.dumps(TOKENS), encoding="utf-8")
        (folder / "merges.txt").write_text("\n".join(" ".join(pair) for pair in MERGES), encoding="utf-8")
    tokenizer = load_vocabulary(folder)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_tokenizer_json_in_a_folder_or_alone(tmp_path: Path, bpe: Tokenizer) -> None:
    (tmp_path / "tokenizer.json").write_text(bpe.to_json(), encoding="utf-8")
    for path in (tmp_path, tmp_path / "tokenizer.json"):
        assert load_vocabulary(path).fingerprint() == bpe.fingerprint()


def test_what_is_no_vocabulary(tmp_path: Path, files: Callable[[str, str], Path]) -> None:
    with pytest.raises(DataError, match=r"no vocabulary in it; expected tokenizer.json, or vocab.json with"):
        load_vocabulary(tmp_path)
    folder = files("vocab.json", "merges.txt")
    merges = (folder / "merges.txt").read_text("utf-8")
    for text, part in (
        (merges + "a b c\n", r"merges.txt:12: not a merge: expected two pieces"),
        (merges + "a\n", r"merges.txt:12: not a merge"),
        (merges + "q zz\n", r"vocab.json: not a tokenizer"),
    ):
        (folder / "merges.txt").write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match=part):
            load_vocabulary(folder)
    (folder / "merges.txt").write_text(merges, encoding="utf-8")
    for tokens, part in (
        ("[]", "not a vocabulary: expected tokens with their numbers"),
        ('{"a": "b"}', "not a vocabulary"),
        (json.dumps({token: i for token, i in TOKENS.items() if token != GPT2_END}), "neither <bos> nor"),
        (json.dumps({token: i + 5 for token, i in TOKENS.items()}), "have gaps or come twice"),
        ("{", "not valid JSON"),
    ):
        (folder / "vocab.json").write_text(tokens, encoding="utf-8")
        with pytest.raises(DataError, match=part):
            load_vocabulary(folder)
