"""From text to token ids and back, exactly."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import example, given
from hypothesis import strategies as st

from core.errors import DataError
from core.text import without_surrogates
from core.tokenizer import BOS, EOS, PAD, Tokenizer, train_bpe, train_char

any_text = st.text(st.characters(exclude_categories=()))
HARD = [
    "",
    "鲸",
    "hello",
    " hello  world \n\n\t",
    "\r\n",
    "\0",
    "👨‍👩‍👧‍👦🏳️‍🌈",
    "e\u0301",
    "\u2028\x85\ufeff\ufffd",
    "\U0010ffff",
    "<eos><bos><pad>",
    "Ġ Ċ Ā",
]


def changed(tokenizer: Tokenizer, change: Callable[[dict[str, Any]], Any]) -> str:
    """The tokenizer's file with something else in it."""
    values = json.loads(tokenizer.to_json())
    change(values)
    return json.dumps(values)


# --- fault 8: byte-level BPE without the byte alphabet


@pytest.mark.parametrize("text", HARD)
def test_hard_texts_come_back_exactly(bpe: Tokenizer, text: str) -> None:
    assert bpe.decode(bpe.encode(text)) == text


@given(any_text)
@example("a\ud800b")
@example("\ud83d\ude00")
def test_any_text_comes_back_exactly(bpe: Tokenizer, text: str) -> None:
    ids = bpe.encode(text)
    assert bpe.decode(ids) == without_surrogates(text)
    assert not bpe.special & set(ids)
    assert all(0 <= i < bpe.vocab_size for i in ids)


def test_text_unlike_the_training_text_comes_back_exactly() -> None:
    tokenizer = train_bpe(iter(["aaaa bbbb"]), 300)
    assert tokenizer.decode(tokenizer.encode("鲸 hello ÿ\0")) == "鲸 hello ÿ\0"


def test_all_256_bytes_are_tokens(bpe: Tokenizer) -> None:
    single = {bpe.token_bytes(i) for i in range(bpe.vocab_size)}
    assert {bytes([byte]) for byte in range(256)} <= single


@given(st.lists(any_text, max_size=5))
def test_many_texts_at_once_are_the_same_as_one_by_one(bpe: Tokenizer, texts: list[str]) -> None:
    assert bpe.encode_batch(texts) == [bpe.encode(text) for text in texts]


# --- fault 9: the end token inside the prompt


@pytest.mark.parametrize("text", ["<eos>", "a<eos>b", "<bos> <pad>", "<|endoftext|>"])
def test_special_tokens_in_a_text_are_text(bpe: Tokenizer, char: Tokenizer, text: str) -> None:
    for tokenizer in (bpe, Tokenizer.from_json(bpe.to_json()), char):
        assert not {tokenizer.bos, tokenizer.eos, tokenizer.pad} & set(tokenizer.encode(text))
    assert bpe.decode(bpe.encode(text)) == text


def test_a_post_processor_adds_nothing(bpe: Tokenizer) -> None:
    piece = {"SpecialToken": {"id": EOS, "type_id": 0}}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    ends = {
        "type": "TemplateProcessing", "single": [text, piece], "pair": [text],
        "special_tokens": {EOS: {"id": EOS, "ids": [bpe.eos], "tokens": [EOS]}},
    }  # fmt: skip
    tokenizer = Tokenizer.from_json(changed(bpe, lambda values: values.update(post_processor=ends)))
    assert tokenizer.encode("用户:你好") == bpe.encode("用户:你好")
    assert tokenizer.encode_batch(["用户:你好"]) == [bpe.encode("用户:你好")]


def test_a_stored_limit_cuts_nothing_and_a_stored_padding_adds_nothing(bpe: Tokenizer) -> None:
    cut = {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}
    fill = {
        "strategy": {"Fixed": 50}, "direction": "Right", "pad_to_multiple_of": None,
        "pad_id": 0, "pad_type_id": 0, "pad_token": PAD,
    }  # fmt: skip
    tokenizer = Tokenizer.from_json(changed(bpe, lambda values: values.update(truncation=cut, padding=fill)))
    assert tokenizer.encode("什么是注意力机制？") == bpe.encode("什么是注意力机制？")


# --- special tokens, streams, looking at tokens


def test_special_tokens_stand_first_and_decode_to_nothing(bpe: Tokenizer, char: Tokenizer) -> None:
    for tokenizer in (bpe, char):
        assert (tokenizer.pad, tokenizer.bos, tokenizer.eos) == (0, 1, 2)
        assert tokenizer.decode([tokenizer.bos, *tokenizer.encode("注意"), tokenizer.eos, tokenizer.pad]) == "注意"
    assert [bpe.token_text(i) for i in range(3)] == [PAD, BOS, EOS]


@given(any_text)
def test_a_stream_gives_the_same_text_and_no_half_character(bpe: Tokenizer, text: str) -> None:
    text = without_surrogates(text)
    ids = bpe.encode(text)
    stream = bpe.stream()
    pieces = [stream.push(token) for token in ids]
    assert "".join(pieces) == text
    assert stream.finish() == ""
    assert text.startswith("".join(pieces[: len(pieces) // 2]))


@given(st.data())
def test_a_stream_of_any_tokens_gives_what_decode_gives(bpe: Tokenizer, data: st.DataObject) -> None:
    ids = data.draw(st.lists(st.integers(0, bpe.vocab_size - 1)))
    stream = bpe.stream()
    assert "".join([*map(stream.push, ids), stream.finish()]) == bpe.decode(ids)


def test_half_a_character_waits_for_its_other_half(bpe: Tokenizer) -> None:
    whale = bpe.encode("鲸")
    assert len(whale) > 1
    stream = bpe.stream()
    assert [stream.push(token) for token in whale] == [""] * (len(whale) - 1) + ["鲸"]
    stream = bpe.stream()
    assert stream.push(whale[0]) == ""
    assert stream.push(bpe.encode("a")[0]) == "\ufffda"
    assert stream.push(whale[0]) == ""
    assert stream.finish() == "\ufffd"


def test_the_text_of_half_a_character(bpe: Tokenizer) -> None:
    assert bpe.token_text(bpe.encode("鲸")[0]) == "\ufffd"
    assert bpe.token_text(bpe.encode("a")[0]) == "a"


# --- training


def test_the_size_is_what_was_asked_for_or_what_the_text_has(bpe: Tokenizer) -> None:
    assert bpe.vocab_size == 320
    small = train_bpe(iter(["ab"]), 1000)
    assert small.vocab_size == 256 + 3


def test_a_word_without_end_is_learnt_from_in_pieces() -> None:
    """One of 80,000 characters took 22 s, of 300,000 longer than anyone has waited, and no signal could end it."""
    tokenizer = train_bpe(iter(["长" * 2_000_000, "什么是水？" * 9]), 300)
    assert tokenizer.decode(tokenizer.encode("长长什么是水？")) == "长长什么是水？"


def test_training_is_repeatable() -> None:
    texts = ["什么是注意力机制？ the quick brown fox"] * 4
    assert train_bpe(iter(texts), 330).to_json() == train_bpe(iter(texts), 330).to_json()
    assert train_char(iter(texts), 300).to_json() == train_char(iter(texts), 300).to_json()


def test_tokens_get_no_longer_than_asked() -> None:
    texts = ["注意力机制" * 3] * 10
    longest = [
        max(len(tokenizer.token_bytes(i)) for i in range(tokenizer.vocab_size))
        for tokenizer in (train_bpe(iter(texts), 400, 6), train_bpe(iter(texts), 400))
    ]
    assert longest[0] == 6
    assert longest[1] >= 15


def test_frequent_words_become_one_token(bpe: Tokenizer) -> None:
    assert len(bpe.encode("注意力")) < len("注意力".encode())


def test_surrogates_in_the_training_text_do_no_harm() -> None:
    assert train_bpe(iter(["a\ud800b" * 3] * 3), 280).decode(train_char(iter(["x\ud800"]), 300).encode("")) == ""


def test_characters_are_tokens_in_the_order_of_their_frequency() -> None:
    tokenizer = train_char(iter(["aab\n", "ba鲸"]), 300)
    assert [tokenizer.token_text(i) for i in range(4, tokenizer.vocab_size)] == ["a", "b", "\n", "鲸"]
    assert tokenizer.decode(tokenizer.encode("鲸\nab")) == "鲸\nab"
    assert len(tokenizer.encode("鲸\r\nab ")) == 6


def test_an_unknown_character_is_one_special_token(char: Tokenizer) -> None:
    (unknown,) = char.encode("\U0010ffff")
    assert unknown in char.special
    assert char.decode([unknown]) == ""
    assert len(char.encode("<unk>")) == 5


def test_the_rarest_characters_are_left_out_of_a_small_vocabulary() -> None:
    tokenizer = train_char(iter(["aaabbc"]), 6)
    assert tokenizer.vocab_size == 6
    assert tokenizer.decode(tokenizer.encode("abc")) == "ab"


# --- files


def test_a_tokenizer_is_the_same_after_writing_and_reading(bpe: Tokenizer, char: Tokenizer, tmp_path: Path) -> None:
    for tokenizer in (bpe, char):
        path = tmp_path / "tokenizer.json"
        path.write_text(tokenizer.to_json(), encoding="utf-8")
        again = Tokenizer.load(path)
        assert again.fingerprint() == tokenizer.fingerprint()
        assert again.special == tokenizer.special
        assert again.encode("什么是 the 鲸<eos>") == tokenizer.encode("什么是 the 鲸<eos>")


def test_the_fingerprint_tells_tokenizers_apart(bpe: Tokenizer, char: Tokenizer) -> None:
    assert bpe.fingerprint() != char.fingerprint()
    assert bpe.fingerprint() != train_bpe(iter(["another text"]), 320).fingerprint()


def test_gpt2s_one_special_token_serves_for_all(bpe: Tokenizer) -> None:
    def rename(values: dict[str, Any]) -> None:
        vocabulary = values["model"]["vocab"]
        for name in (PAD, BOS, EOS):
            del vocabulary[name]
        values["added_tokens"] = [dict(values["added_tokens"][0], id=len(vocabulary), content="<|endoftext|>")]
        vocabulary.update({name: i for i, name in enumerate(sorted(vocabulary, key=vocabulary.get))})

    tokenizer = Tokenizer.from_json(changed(bpe, rename))
    assert tokenizer.bos == tokenizer.eos == tokenizer.pad == tokenizer.vocab_size - 1
    assert tokenizer.decode(tokenizer.encode("鲸 hello")) == "鲸 hello"


def add_token(values: dict[str, Any], content: str, *, rstrip: bool = False) -> None:
    plain = dict.fromkeys(("single_word", "lstrip", "normalized", "special"), False)
    number = len(values["model"]["vocab"])
    values["added_tokens"].append({"id": number, "content": content, "rstrip": rstrip, **plain})


@pytest.mark.parametrize("content", ["  ", "世界", "a b"])
def test_added_tokens_are_text_as_it_stands(bpe: Tokenizer, content: str) -> None:
    """Not in GPT-2's alphabet of bytes, in which a blank is 'Ġ'."""
    tokenizer = Tokenizer.from_json(changed(bpe, lambda values: add_token(values, content)))
    text = f"if x:\n{content}y {content}"
    assert tokenizer.vocab_size - 1 in tokenizer.encode(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text


STRIP = {"type": "Strip", "strip_left": True, "strip_right": False}
ONE_BLANK = {"type": "Replace", "pattern": {"String": "  "}, "content": " "}


def drop_byte(values: dict[str, Any]) -> None:
    vocabulary = values["model"]["vocab"]
    vocabulary["zz"] = vocabulary.pop("é")


def gap(values: dict[str, Any]) -> None:
    vocabulary = values["model"]["vocab"]
    vocabulary[max(vocabulary, key=vocabulary.get)] += 50


def no_ends(values: dict[str, Any]) -> None:
    values["added_tokens"] = []
    old = values["model"]["vocab"]
    values["model"]["vocab"] = {{BOS: "<s>", EOS: "</s>"}.get(name, name): i for name, i in old.items()}
    values["model"]["merges"] = []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop_byte, "not a tokenizer|the byte alphabet is incomplete"),
        (gap, "have gaps"),
        (no_ends, "neither <bos> nor"),
        (lambda values: values.update(normalizer={"type": "Lowercase"}), "it changes the text"),
        (lambda values: values.update(normalizer={"type": "NFC"}), "it changes the text"),
        (lambda values: values.update(normalizer={"type": "NFKC"}), "it changes the text"),
        (
            lambda values: values.update(normalizer={"type": "Strip", "strip_left": True, "strip_right": False}),
            "changes",
        ),
        (
            lambda values: values.update(normalizer={"type": "Replace", "pattern": {"String": "  "}, "content": " "}),
            "ch",
        ),
        (lambda values: add_token(values, "<name>", rstrip=True), "it changes the text"),
        (lambda values: values.update(pre_tokenizer=None), "it changes the text"),
        (lambda values: values["pre_tokenizer"].update(add_prefix_space=True), "it changes the text"),
        (lambda values: values.update(model={"type": "Unigram", "vocab": [["a", 0.0]], "unk_id": 0}), "found Unigram"),
        (lambda values: values.pop("model"), "not a tokenizer: "),
        (lambda values: values["model"]["merges"].append(["zz", "qq"]), "not a tokenizer: "),
    ],
    ids=[
        "byte missing",
        "gap",
        "no ends",
        "lower case",
        "composed",
        "half width",
        "stripped",
        "blanks",
        "eaten blanks",
        "no bytes",
        "blank before",
        "unigram",
        "no model",
        "bad merge",
    ],
)
def test_a_tokenizer_that_is_not_exact_is_refused(bpe: Tokenizer, change: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Tokenizer.from_json(changed(bpe, change), "my.json")


def test_characters_without_an_unknown_token_are_refused(char: Tokenizer) -> None:
    def known_only(values: dict[str, Any]) -> None:
        values["added_tokens"] = values["added_tokens"][:3]
        names = [name for name in values["model"]["vocab"] if name != "<unk>"]
        values["model"]["vocab"] = {name: i for i, name in enumerate(names)}

    with pytest.raises(DataError, match=r"^my\.json: "):
        Tokenizer.from_json(changed(char, known_only), "my.json")


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", "\0", '{"model": 1}', "[" * 10_000],
    ids=["", "{}", "[]", "null", "NUL", "1", "deep"],
)
def test_what_is_no_tokenizer_is_a_data_error(text: str) -> None:
    with pytest.raises(DataError, match=r"my\.json: not a tokenizer: "):
        Tokenizer.from_json(text, "my.json")


def test_a_file_that_cannot_be_read_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        Tokenizer.load(tmp_path / "tokenizer.json")
    with pytest.raises(DataError, match="is a folder"):
        Tokenizer.load(tmp_path)


# --- many texts at once


@pytest.mark.parametrize("pieces", ["words", "digits", "characters"])
@given(texts=st.lists(any_text | st.text("甲乙1 2\n\t!a'sé\x1c一龥", max_size=12), max_size=5))
@example(texts=["甲  乙  ", "甲  ", "  乙", "it's 12", "a 甲's", "", "甲\n\n 乙", "a" * 40, "\x1c甲!\x1c"])
def test_a_batch_is_what_each_text_is_alone(pieces: str, texts: list[str]) -> None:
    tokenizer = _learnt(pieces)
    assert tokenizer.encode_batch(texts) == [tokenizer.encode(text) for text in texts]


@cache
def _learnt(pieces: str) -> Tokenizer:
    texts = ["甲乙丙。\n\n问题：谁？", "one two  three.\n\nWho 12 34?\n", "。\n\n。\n\n", "it's  x"] * 5
    return Tokenizer.from_json(train_bpe(iter(texts), 400, pieces=pieces).to_json())


def test_a_vocabulary_from_elsewhere_is_not_taken_apart(bpe: Tokenizer) -> None:
    own = _learnt("characters")
    assert own._pieces is not None
    assert bpe._pieces is None
    foreign = changed(own, lambda values: values.update(normalizer={"type": "NFC"}))
    assert Tokenizer(tokenizers.Tokenizer.from_str(foreign))._pieces is None


def test_a_token_added_over_several_characters_is_found_in_a_batch_too() -> None:
    own = _learnt("characters")
    more = {"id": own.vocab_size, "content": "甲乙", "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": False}  # fmt: skip
    text = changed(own, lambda values: values["added_tokens"].append(more))
    tokenizer = Tokenizer(tokenizers.Tokenizer.from_str(text))
    assert tokenizer.encode("甲乙") == [own.vocab_size]
    assert tokenizer.encode_batch(["丙甲乙"]) == [tokenizer.encode("丙甲乙")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{\n"a": 1,', "no JSON in line 2: Expecting property name enclosed in double quotes"),
        ("[" * 100_000, "nested too deeply"),
        ("{}", "Model missing. at line 1 column 2"),
    ],
)
def test_what_is_no_tokenizer_is_said_in_words_that_can_be_translated(text: str, problem: str) -> None:
    with pytest.raises(DataError) as caught:
        Tokenizer.from_json(text, "my.json")
    assert str(caught.value) == f"my.json: not a tokenizer: {problem}"
