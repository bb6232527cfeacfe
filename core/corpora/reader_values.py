"""Values of the reading-comprehension corpus, and which of them training never sees.

Whether a value is held out is decided by a hash of its *distinguishing part*, the same for every seed:

=================  ============================================================================
value              distinguishing part
=================  ============================================================================
person             surname + first given character; and the two given characters together
place, club, book  the two-character stem
pair (重启网关)     both words together
date 12月5日        last digit of the month, day: 2月5日 stands inside 12月5日
time 19:30         last digit of the hour, minute: 9:30 stands inside 19:30
number 146户       its last two digits, whatever the unit: 46户 stands inside 146户
version V3.12      all of it
=================  ============================================================================

A training value has no held-out part, a held-out value has one; so no held-out value is ever a
substring of a training value, while each of its characters is common in training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from hashlib import blake2b
from random import Random
from typing import TypeVar

from .reader_words import BOOK_ENDINGS, GIVEN, PAIRS, PLAIN, PLAIN_SHARE, STEM, SUFFIXES, SURNAMES

T = TypeVar("T")
Draw = Callable[[Random], str]

HELD_OUT_PERCENT = 15
ONE_CHARACTER_GIVEN = 0.3  # share of names such as 李雷, the rest being such as 李思远
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # no I and O: they look like 1 and 0


def pick(rng: Random, items: Sequence[T]) -> T:
    """One item. Built on `random()` alone, whose sequence Python guarantees for a seed across versions."""
    return items[int(rng.random() * len(items))]


def below(rng: Random, n: int) -> int:
    """A whole number from 0 to n - 1."""
    return int(rng.random() * n)


@cache
def is_held_out(part: str) -> bool:
    """Whether values with this distinguishing part are kept from training (the same for every seed)."""
    digest = blake2b(part.encode(), digest_size=4, person=b"reader-1").digest()
    return int.from_bytes(digest, "big") % 100 < HELD_OUT_PERCENT


class Values:
    """Draws values of one side of the partition: `unseen=False` for training, `unseen=True` for held out."""

    def __init__(self, unseen: bool) -> None:
        self.unseen = unseen
        self._given = [a + b for a in GIVEN for b in GIVEN if self._mine(a + b)]
        self._short = [s + g for s in SURNAMES for g in GIVEN if self._mine(s + g)]
        self._stems = [a + b for a in STEM for b in STEM if a != b and self._mine(a + b)]
        self._dates = [f"{m}月{d}日" for m in range(1, 13) for d in range(1, 29) if self._mine(f"{m % 10}月{d}日")]
        self._times = self._clock(range(7, 21))
        self._endings = [n for n in range(100) if self._mine(f"{n:02d}")]
        self._tens = [n for n in self._endings if n >= 10]
        self._minutes = [n for n in self._tens if n < 60]
        self._versions = [f"V{a}.{b}" for a in range(1, 10) for b in range(10, 50) if self._mine(f"V{a}.{b}")]
        self._draws = self._table()

    def draw(self, pool: str, rng: Random) -> str:
        """A value of a pool. KeyError for a pool that does not exist."""
        return self._draws[pool](rng)

    def near(self, date: str, rng: Random) -> str:
        """A date a few weeks from `date` at most, so that the dates of one passage belong together."""
        reach = max(4, len(self._dates) // 16)
        low = max(0, min(self._dates.index(date) - reach, len(self._dates) - 2 * reach))
        return self._dates[low + below(rng, 2 * reach)]

    def pools(self) -> tuple[str, ...]:
        """The names of all pools."""
        return tuple(self._draws)

    def _mine(self, part: str) -> bool:
        return is_held_out(part) is self.unseen

    def _clock(self, hours: range) -> list[str]:
        return [f"{h}:{m:02d}" for h in hours for m in range(0, 60, 5) if self._mine(f"{h % 10}:{m:02d}")]

    def _table(self) -> dict[str, Draw]:
        books = BOOK_ENDINGS.split()
        table: dict[str, Draw] = {
            "person": self._person,
            "date": lambda rng: pick(rng, self._dates),
            "time": lambda rng: pick(rng, self._times),
            "minutes": self._duration,
            "days": lambda rng: f"{pick(rng, self._tens)}天",
            "sum": lambda rng: f"{self._number(rng, 1, 10)}元",
            "money": lambda rng: f"{self._number(rng, 10, 100)}元",
            "version": lambda rng: pick(rng, self._versions),
            "code": lambda rng: pick(rng, LETTERS) + pick(rng, LETTERS) + str(self._number(rng, 10, 100)),
            "count:人": lambda rng: f"{pick(rng, self._tens)}人",
            "many:户": lambda rng: f"{self._number(rng, 1, 10)}户",
            "book": lambda rng: f"《{pick(rng, self._stems)}{pick(rng, books)}》",
        }
        for pool, endings in SUFFIXES.items():
            table[pool] = self._stemmed(endings.split())
        for pool in PAIRS:
            table[pool] = self._paired(pool)
        return table

    def _person(self, rng: Random) -> str:
        if rng.random() < ONE_CHARACTER_GIVEN:
            return pick(rng, self._short)
        while True:
            surname, given = pick(rng, SURNAMES), pick(rng, self._given)
            # 李思远 would show training the held-out 李思.
            if self.unseen or not is_held_out(surname + given[0]):
                return surname + given

    def _duration(self, rng: Random) -> str:
        if rng.random() < 0.35:
            return f"{1 + below(rng, 3)}小时{pick(rng, self._minutes)}分钟"
        return f"{pick(rng, self._tens)}分钟"

    def _number(self, rng: Random, low_hundred: int, high_hundred: int) -> int:
        return (low_hundred + below(rng, high_hundred - low_hundred)) * 100 + pick(rng, self._endings)

    def _stemmed(self, endings: list[str]) -> Draw:
        return lambda rng: pick(rng, self._stems) + pick(rng, endings)

    def _paired(self, pool: str) -> Draw:
        first, second, last = (words.split() for words in PAIRS[pool])
        pairs = [a + b for a in first for b in second if self._mine(a + b)]
        endings = last or [""]
        plain = [] if self.unseen else PLAIN.get(pool, "").split()

        def draw(rng: Random) -> str:
            if plain and rng.random() < PLAIN_SHARE:
                return pick(rng, plain)
            return pick(rng, pairs) + pick(rng, endings)

        return draw


@cache
def values_of(unseen: bool) -> Values:
    """The values of one side, built once (about 0.1 s)."""
    return Values(unseen)
