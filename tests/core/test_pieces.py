"""Where merges end: a Chinese character or a digit that stands alone is the same token wherever it stands."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

import core.pieces as core_pieces
from core.pieces import PieceTable
from core.tokenizer import Tokenizer, train_bpe

TEXTS = [
    "李思远将于12月5日19:30主持会议，共146人。",
    "V3.12 isn't ready; the reader's JSON is.",
    "会议由李明主持。",
] * 30


@pytest.fixture(scope="module", params=["words", "digits", "characters"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return train_bpe(iter(TEXTS), 600, pieces=request.param)


@given(st.text())
def test_any_text_comes_back_exactly(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert Tokenizer.from_json(tokenizer.to_json()).encode(text) == tokenizer.encode(text)


@pytest.mark.parametrize("text", ["①½٣", "〇々〆⺀", "𠀀𪜶", " 李 明 ", "it's\u00a0can't 'll", "\r\n\t\x1c\u3000"])
def test_hard_texts_come_back_exactly(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


def pieces(tokenizer: Tokenizer, text: str) -> list[str]:
    return [tokenizer.token_text(token) for token in tokenizer.encode(text)]


def test_characters_stand_alone() -> None:
    tokenizer = train_bpe(iter(TEXTS), 600, pieces="characters")
    assert pieces(tokenizer, "李思远12月5日") == list("李思远12月5日")
    assert pieces(tokenizer, "由李思远主持") == list("由李思远主持")
    assert pieces(tokenizer, " JSON") == [" JSON"]
    assert "'s" in pieces(tokenizer, "the reader's")


def test_digits_stand_alone() -> None:
    tokenizer = train_bpe(iter(TEXTS), 600, pieces="digits")
    assert pieces(tokenizer, "19:30") == ["1", "9", ":", "3", "0"]
    assert len(pieces(tokenizer, "会议由李明主持")) < 7


def test_words_are_gpt2s() -> None:
    tokenizer = train_bpe(iter(TEXTS), 600)
    assert '"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true' in tokenizer.to_json()
    assert "19" in pieces(tokenizer, "19:30")


@pytest.mark.parametrize("longest", [2, 3, 5, 7])
def test_no_piece_is_longer_than_asked(longest: int) -> None:
    tokenizer = train_bpe(iter(TEXTS), 600, longest)
    lengths = [len(tokenizer.token_bytes(token)) for token in range(tokenizer.vocab_size)]
    assert max(lengths) == longest


def _noted(asked: list[str]) -> PieceTable:
    def cut(texts: Sequence[str]) -> list[list[int]]:
        asked.extend(sorted(texts))
        return [[ord(char) for char in text] for text in texts]

    return PieceTable(cut)


def test_a_piece_is_cut_once() -> None:
    asked: list[str] = []
    table = _noted(asked)
    texts = ["甲乙，丙。", "甲乙，丙。", "，丙3 abc"]
    assert table.encode(texts) == [[ord(char) for char in text] for text in texts]
    assert asked == [" abc", "3", "。", "乙", "甲", "，丙"]
    assert table.encode(["乙甲", ""]) == [[ord("乙"), ord("甲")], []]
    assert len(asked) == 6


def test_what_is_kept_does_not_grow_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_pieces, "MOST_KEPT", 3)
    asked: list[str] = []
    table = _noted(asked)
    for text in ("一二三四", "五", "一", "a" * 17, "a" * 17):
        assert table.encode([text]) == [[ord(char) for char in text]]
    assert asked == ["一", "三", "二", "四", "五", "一", "a" * 17, "a" * 17]


def test_a_very_long_text_is_not_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_pieces, "AT_ONCE", 5)
    asked: list[str] = []
    texts = ["一二三四五六", "七", "八", "一二三"]
    assert _noted(asked).encode(texts) == [[ord(char) for char in text] for text in texts]
    assert asked == ["一二三四五六", "一", "七", "三", "二", "八"]
