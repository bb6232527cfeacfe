"""From text to token ids and back, exactly.

Byte-level BPE (Radford et al. 2019, GPT-2) with the full 256-byte alphabet: any Unicode text round-trips.
The special tokens never come out of text that a person wrote, even if he types ``<eos>``, and no end token
is ever added to a prompt.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from .errors import DataError, Phrase
from .pieces import PieceTable
from .storage import read_text
from .text import first_line, without_surrogates

PAD, BOS, EOS, UNK = "<pad>", "<bos>", "<eos>", "<unk>"
GPT2_END = "<|endoftext|>"
#: They show missing pre-tokenizers, lower-casing, a blank put before the text, NFC and NFKC, and blanks that get lost.
_PROBES = ("Aé <eos>\n鲸🐋e\u0301，？", "  1  2 ")
MAX_BYTES = 100_000_000  # GPT-2's own file has 2 MB, the largest known ones 35 MB


@dataclass(frozen=True)
class TokenizerReport:
    """What came out of training a tokenizer."""

    asked: int
    size: int

    @property
    def smaller(self) -> bool:
        """The text held fewer pieces worth merging than asked for."""
        return self.size < self.asked


#: Characters of a word from which merges are learnt; no language has longer ones.
LONGEST_WORD = 1000
ENDLESS = re.compile(rf"\w{{{LONGEST_WORD}}}")


class Tokenizer:
    """A vocabulary: text to ids, ids to bytes, ids to text."""

    def __init__(self, inner: tokenizers.Tokenizer) -> None:
        # Special tokens in the text of a person are text: '<eos>' in a question must not end it.
        inner.encode_special_tokens = True
        inner.no_padding()
        inner.no_truncation()
        self._inner = inner
        self.bos = self._special(BOS)
        self.eos = self._special(EOS)
        self.pad = self._special(PAD, fallback=self.eos)
        self._added = inner.get_added_tokens_decoder()
        self.special = frozenset(
            {self.bos, self.eos, self.pad} | {i for i, token in self._added.items() if token.special}
        )
        unknown = inner.token_to_id(UNK)
        if unknown is not None:
            self.special |= {unknown}
        self.byte_level = isinstance(inner.model, models.BPE)
        self._bytes = [self._bytes_of(i) for i in range(inner.get_vocab_size())]

    @cached_property
    def _pieces(self) -> PieceTable | None:
        """Where the pieces of a text can be looked up; found out at the first batch, not at every start."""
        return PieceTable(self._cut) if _characters_stand_alone(self._inner) else None

    def _special(self, name: str, fallback: int | None = None) -> int:
        for candidate in (name, GPT2_END):
            found = self._inner.token_to_id(candidate)
            if found is not None:
                return int(found)
        if fallback is None:
            raise DataError("the tokenizer has neither {name} nor {gpt2}", name=name, gpt2=GPT2_END)
        return fallback

    def _bytes_of(self, token: int) -> bytes:
        if token in self.special:
            return b""
        text = self._inner.id_to_token(token)
        if text is None:
            return b""
        if not self.byte_level or token in self._added:  # an added token is text as it stands
            return str(text).encode("utf-8", "replace")
        return bytes(_CHAR_TO_BYTE[char] for char in text if char in _CHAR_TO_BYTE)

    @property
    def reads_everything(self) -> bool:
        """Whether any text comes back as it was: all bytes are known. Characters, and the seeds' bytes, have gaps."""
        return self.byte_level and set(_BYTE_TO_CHAR) <= set(self._inner.get_vocab())

    @property
    def vocab_size(self) -> int:
        return int(self._inner.get_vocab_size())

    def encode(self, text: str) -> list[int]:
        """Ids of ``text`` alone: nothing is added before or after it."""
        return list(self._inner.encode(without_surrogates(text), add_special_tokens=False).ids)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """``encode`` of many texts at once."""
        texts = [without_surrogates(text) for text in texts]
        return self._pieces.encode(texts) if self._pieces is not None else self._cut(texts)

    def _cut(self, texts: Sequence[str]) -> list[list[int]]:
        """On all cores."""
        return [encoding.ids for encoding in self._inner.encode_batch_fast(texts, add_special_tokens=False)]

    def token_bytes(self, token: int) -> bytes:
        """The bytes that a token stands for; empty for a special one."""
        return self._bytes[token]

    def token_text(self, token: int) -> str:
        """A token as something to look at: a special one by its name, half a character as U+FFFD."""
        if token in self.special:
            return str(self._inner.id_to_token(token))
        return self._bytes[token].decode("utf-8", "replace")

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of ``tokens``, without special ones; bytes that form no character become U+FFFD."""
        return b"".join(self._bytes[token] for token in tokens).decode("utf-8", "replace")

    def stream(self) -> StreamDecoder:
        return StreamDecoder(self)

    def to_json(self) -> str:
        return str(self._inner.to_str())

    def fingerprint(self) -> str:
        """SHA-256 of the vocabulary file, to tell whether a checkpoint and a tokenizer belong together."""
        return hashlib.sha256(self.to_json().encode("utf-8")).hexdigest()

    @classmethod
    def from_json(cls, text: str, source: str = "tokenizer.json") -> Tokenizer:
        """Raises ``DataError`` when the text is not a tokenizer this program can use exactly."""
        try:
            inner = tokenizers.Tokenizer.from_str(text)
        except (Exception, RecursionError) as problem:  # the library raises plain Exception for everything
            said = first_line(problem, 120)
            reason = _no_json(text) or said  # the library counts bytes of a line, and knows no language but one
            raise DataError("{file}: not a tokenizer: {reason}", file=source, reason=reason) from None
        if not isinstance(inner.model, (models.BPE, models.WordLevel)):
            raise DataError(
                "{file}: only byte-level BPE and character tokenizers are supported, found {kind}",
                file=source,
                kind=type(inner.model).__name__,
            )
        lost = set(_BYTE_TO_CHAR) - set(inner.get_vocab()) if isinstance(inner.model, models.BPE) else set()
        # The seeds' vocabularies know only the bytes of their corpus, and <unk>: good enough for the models that
        # were trained with them, and for nothing else (``Tokenizer.reads_everything``).
        if lost and inner.token_to_id(str(inner.model.unk_token)) is None:
            raise DataError("{file}: the byte alphabet is incomplete, some text could not be read", file=source)
        if set(inner.get_vocab().values()) != set(range(inner.get_vocab_size())):
            raise DataError("{file}: the numbers of its tokens have gaps or come twice", file=source)
        tokenizer = cls(inner)
        if any(not token.special and (token.lstrip or token.rstrip) for token in tokenizer._added.values()):
            raise DataError("{file}: it changes the text that it reads", file=source)
        for probe in _PROBES:
            known = "".join(char for char in probe if not lost & {_BYTE_TO_CHAR[byte] for byte in char.encode()})
            try:
                exact = tokenizer.decode(tokenizer.encode(known)) == known or not tokenizer.byte_level
            except Exception:  # characters without <unk>
                exact = False
            if not exact:
                raise DataError("{file}: it changes the text that it reads", file=source)
        return tokenizer

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        return cls.from_json(read_text(path, limit=MAX_BYTES, error=DataError), str(path))


def _no_json(text: str) -> str:
    """Why a text is no JSON; '' where it is."""
    try:
        json.loads(text)
    except json.JSONDecodeError as problem:
        return Phrase("no JSON in line {line}: {problem}", line=problem.lineno, problem=problem.msg)
    except (RecursionError, ValueError):
        return Phrase("nested too deeply")
    return ""


class StreamDecoder:
    """Ids in, text out, as they come; half a character waits for its other half."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token: int) -> str:
        return self._decoder.decode(self._tokenizer.token_bytes(token))

    def finish(self) -> str:
        """What is left: the bytes of a character that never got complete, as U+FFFD."""
        return self._decoder.decode(b"", True)


#: What stands alone, before GPT-2's rule cuts the rest into words, for each of ``tokenizer.pieces``.
ALONE = {"digits": r"\p{N}", "characters": r"\p{Han}|\p{N}"}


def pre_tokenizer(pieces: str) -> pre_tokenizers.PreTokenizer:
    """Where merges end. A Chinese name that is always the same tokens, whatever stands beside it, can be copied
    from a passage into an answer; whole words cost a third fewer tokens."""
    if pieces == "words":
        return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    alone = ALONE[pieces]
    rule = rf"{alone}|'(?:s|t|re|ve|m|ll|d)| ?(?:(?!{alone})\p{{L}})+| ?[^\s\p{{L}}\p{{N}}]+|\s+(?!\S)|\s|[\s\S]"
    # One rule for all, its matches kept: on Chinese twice as fast as a split before GPT-2's own rule.
    split = pre_tokenizers.Split(tokenizers.Regex(rule), "removed", invert=True)
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def _characters_stand_alone(inner: tokenizers.Tokenizer) -> bool:
    """Whether a vocabulary was learnt here with ``tokenizer.pieces: characters``, and no token added that may reach
    over several characters."""
    if inner.normalizer is not None or inner.pre_tokenizer is None:
        return False
    if not all(token.special for token in inner.get_added_tokens_decoder().values()):
        return False
    return bool(inner.pre_tokenizer.__getstate__() == pre_tokenizer("characters").__getstate__())


def _with_breaks(text: str) -> str:
    """Blanks in words without end: learning merges takes longer than in proportion to the longest word, and cannot be
    interrupted. One of 80,000 characters took 22 s."""
    return ENDLESS.sub(r"\g<0> ", text) if len(text) > LONGEST_WORD else text


def train_bpe(
    texts: Iterator[str], vocab_size: int, max_token_length: int | None = None, pieces: str = "words"
) -> Tokenizer:
    """Learn byte-level BPE merges from ``texts`` (Sennrich et al. 2016, on bytes).

    ``max_token_length`` is in bytes, ``pieces`` as in the schema. The result may be smaller than ``vocab_size``
    when the text has fewer pairs; compare with ``Tokenizer.vocab_size``.
    """
    inner = tokenizers.Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizer(pieces)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=[PAD, BOS, EOS],
        # All 256 bytes, also those that this text lacks: otherwise 鲸 or hello could not be read later.
        initial_alphabet=_BYTE_TO_CHAR,
        show_progress=False,
        # The library builds only pieces shorter than this; longer than the vocabulary none needs to be.
        max_token_length=max_token_length + 1 if max_token_length else vocab_size,
    )
    inner.train_from_iterator((_with_breaks(without_surrogates(text)) for text in texts), trainer)
    return Tokenizer(inner)


def train_char(texts: Iterator[str], vocab_size: int) -> Tokenizer:
    """One token per character, the most frequent first; a character not seen becomes ``<unk>``."""
    counts: dict[str, int] = {}
    for text in texts:
        for char in without_surrogates(text):
            counts[char] = counts.get(char, 0) + 1
    ordered = sorted(counts, key=lambda c: (-counts[c], c))[: max(1, vocab_size - 4)]
    vocabulary = {token: i for i, token in enumerate([PAD, BOS, EOS, UNK, *ordered])}
    inner = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token=UNK))
    inner.pre_tokenizer = pre_tokenizers.Split(tokenizers.Regex(r"[\s\S]"), "isolated")
    inner.decoder = decoders.Fuse()
    inner.add_special_tokens([tokenizers.AddedToken(t, special=True, normalized=False) for t in (PAD, BOS, EOS, UNK)])
    return Tokenizer(inner)


def _byte_alphabet() -> list[str]:
    """GPT-2's printable stand-in for each byte: itself where it can be seen, else a letter from U+0100 on."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {byte: chr(byte) for byte in seen}
    for byte in range(256):
        if byte not in table:
            table[byte] = chr(0x100 + len(table) - len(seen))
    return [table[byte] for byte in range(256)]


_BYTE_TO_CHAR = _byte_alphabet()
_CHAR_TO_BYTE = {char: byte for byte, char in enumerate(_BYTE_TO_CHAR)}
