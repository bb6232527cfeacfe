"""What a genre of the reading-comprehension corpus is made of: facts, and sentences that state them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from string import Formatter

# Question types, with the name shown to people.
KINDS: dict[str, str] = {
    "host": "谁主持",
    "person": "谁记录/负责",
    "action": "措施/动作",
    "channel": "渠道",
    "time": "时间",
    "date": "日期",
    "place": "地点",
    "duration": "时长",
    "amount": "数量/金额",
    "name": "名称/编号",
    "true_false": "对|错",
    "json": "JSON",
    "copy": "抄写、找错",
    "not_stated": "文中未提及",
}

# Family of a pool → (question type, what the question demands).
FAMILIES: dict[str, tuple[str, str]] = {
    "person": ("person", "只输出人名。"),
    "action": ("action", "只输出原文中的那一个动作。"),
    "channel": ("channel", "只输出渠道名称。"),
    "time": ("time", "只输出时间。"),
    "date": ("date", "只输出日期。"),
    "place": ("place", "只输出地点。"),
    "minutes": ("duration", "只输出时长。"),
    "days": ("duration", "只输出时长。"),
    "number": ("amount", "只输出数量。"),
    "money": ("amount", "只输出金额。"),
    "code": ("name", "只输出编号。"),
    "version": ("name", "只输出版本号。"),
    "name": ("name", "只输出名称。"),
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing a passage of a genre may state.

    `pool` is where its values come from, `label` its key in a JSON answer, `asks` several wordings of the question,
    without question mark.
    """

    key: str
    pool: str
    label: str
    asks: tuple[str, ...]
    kind: str
    family: str

    @property
    def demand(self) -> str:
        """The sentence that says what to output."""
        return FAMILIES[self.family][1]

    @property
    def sort(self) -> str:
        """Facts of one sort are rivals: any two people, or dates, or counts in 人, or books."""
        unit = self.pool.partition(":")[2]
        return {"number": f"number:{unit}", "name": self.pool}.get(self.family, self.family)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with `{key}` slots, and the keys in the order in which they stand."""

    text: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Genre:
    """A kind of passage: one of `leads`, then some groups of `body` in any order, one variant of each.

    `ascending` lists facts whose values must not decrease (start before end, deadline before opening);
    `mentions` counts the sentences that state a fact, of all that could stand in a passage.
    """

    name: str
    title: str
    facts: dict[str, Fact]
    leads: tuple[Sentence, ...]
    body: tuple[tuple[Sentence, ...], ...]
    ascending: tuple[tuple[str, ...], ...]
    mentions: dict[str, int]


def family_of(pool: str) -> str:
    """The family of a pool, which settles how one asks for its values."""
    head = pool.partition(":")[0]
    if head in ("count", "many"):
        return "number"
    if head in ("fee", "sum"):
        return "money"
    if head == "host":
        return "person"
    return head if head in FAMILIES else "name"


def parse_genres(text: str) -> tuple[Genre, ...]:
    """The genres of a text table. ValueError with the genre and the line or facts that are wrong.

    A genre is `[name title]`, then one line per fact (key, pool, label, one or more questions, parted
    by spaces), then `ascending: key key…` lines, `> ` leads, and groups of sentences: the first
    variant of a group begins with `- `, the further ones with `| `. The pool `host` is a person asked
    for with the question type `host`.
    """
    return tuple(_parse_genre(block) for block in text.split("\n\n"))


def _parse_genre(block: str) -> Genre:
    head, *lines = block.strip().splitlines()
    name, title = head.strip("[]").split()
    facts: dict[str, Fact] = {}
    leads: list[Sentence] = []
    body: list[list[Sentence]] = []
    ascending: list[tuple[str, ...]] = []
    for line in lines:
        mark, _, rest = line.partition(" ")
        if mark == ">":
            leads.append(_sentence(rest))
        elif mark == "-":
            body.append([_sentence(rest)])
        elif mark == "|" and body:
            body[-1].append(_sentence(rest))
        elif mark == "ascending:":
            ascending.append(tuple(rest.split()))
        else:
            columns = line.split()
            if len(columns) < 4 or columns[0] in facts:
                raise ValueError(f"genre {name}: not a fact: {line}")
            facts[columns[0]] = _fact(*columns)
    mentions = Counter(key for group in (leads, *body) for sentence in group for key in sentence.keys)
    chained = {key for chain in ascending for key in chain}
    odd = sorted((set(mentions) ^ set(facts)) | (chained - set(facts)))
    if odd:
        raise ValueError(f"genre {name}: facts and slots differ: {', '.join(odd)}")
    return Genre(name, title, facts, tuple(leads), tuple(map(tuple, body)), tuple(ascending), mentions)


def _fact(key: str, pool: str, label: str, *asks: str) -> Fact:
    family = family_of(pool)
    if pool == "host":
        return Fact(key, "person", label, asks, "host", family)
    return Fact(key, pool, label, asks, FAMILIES[family][0], family)


def _sentence(text: str) -> Sentence:
    return Sentence(text, tuple(key for _, key, _, _ in Formatter().parse(text) if key))
