"""One passage, and one question about it with its answer."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from random import Random

from .reader_genres import GENRE_TABLES
from .reader_schema import Fact, Genre, Sentence, parse_genres
from .reader_values import Values, below, pick

GENRES: tuple[Genre, ...] = parse_genres(GENRE_TABLES)

NOT_STATED = "文中未提及"
FAULTLESS = "没有错"
MIN_CHARS, MAX_CHARS = 40, 110
SENTENCES = (2, 3, 3, 4)  # how many a passage wants; a long one may not get them all
# Shares of the question types that are not plain extraction; extraction takes the rest.
NOT_STATED_SHARE, JSON_SHARE = 0.08, 0.09
DIFFERENCE_SHARE = 0.5  # of the exercises, the others are in copying
FAULTLESS_SHARE = 0.35  # of the exercises in differences
# How often a question type is asked where a passage offers it; those in few genres are asked more often.
KIND_WEIGHTS = {"host": 4, "action": 4, "channel": 2, "duration": 2}
WHOLE_PASSAGE_SHARE = 0.4  # of the exercises in copying
PARAGRAPH_SHARE = 0.12  # passages whose first sentence is a paragraph of its own, as in the seed

TRUE_FALSE_ASKS = (
    "判断对错：{}。只输出：对|错。",
    "“{}”，这个说法对吗？只输出：对|错。",
    "下面的说法是对还是错？{}。只输出：对|错。",
)
JSON_ASKS = (
    "请用JSON输出{}，键名不变。",
    "提取{}，只输出JSON。",
    "把{}整理成JSON，只输出JSON。",
)


@dataclass(frozen=True, slots=True)
class Mix:
    """What is asked how often, as shares."""

    true_false: float
    """Statements to judge."""
    elsewhere: float = 0.3
    """Of the false statements, those made with a value that stands elsewhere in the passage."""
    rivals: float = 0.0
    """Of the questions for one value, those for one that has rivals of its sort in the passage where there is such."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage, its sentences, and what it states: `values` maps fact keys to values, each once in `text`."""

    genre: Genre
    text: str
    sentences: tuple[Sentence, ...]
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its answer, its type, and the keys of the facts it is about."""

    text: str
    answer: str
    kind: str
    keys: tuple[str, ...]


def compose_passage(genre: Genre, values: Values, rng: Random) -> Passage:
    """A passage of 2 to 4 sentences and 40 to 110 characters, in which no value contains another."""
    while True:
        sentences = _choose(genre, rng)
        stated = _fill(genre, [key for s in sentences for key in s.keys], values, rng)
        parts = [s.text.format_map(stated) for s in sentences]
        if MIN_CHARS <= sum(map(len, parts)) <= MAX_CHARS:
            gap = "\n\n" if rng.random() < PARAGRAPH_SHARE else ""
            return Passage(genre, parts[0] + gap + "".join(parts[1:]), tuple(sentences), stated)


def compose_question(
    passage: Passage, values: Values, rng: Random, mix: Mix, asked: Collection[str] = ()
) -> Question | None:
    """A question about a passage; None if it was to be about something unstated and all is stated. The facts of
    ``asked`` are not asked for again while there are others."""
    dice = rng.random()
    if dice < NOT_STATED_SHARE:
        return _not_stated(passage, rng)
    if dice < NOT_STATED_SHARE + mix.true_false:
        return _true_false(passage, values, rng, mix)
    if dice < NOT_STATED_SHARE + mix.true_false + JSON_SHARE:
        return _json(passage, rng)
    stated = _stated(passage)
    facts = [fact for fact in stated if fact.key not in asked] or stated
    contested = [fact for fact in facts if _rivals(passage, fact)] if mix.rivals else []
    fact = pick(rng, contested) if contested and rng.random() < mix.rivals else _by_kind(facts, rng)
    return Question(_ask(fact, rng), passage.values[fact.key], fact.kind, (fact.key,))


def compose_exercise(passage: Passage, values: Values, rng: Random, mix: Mix) -> Question:
    """An exercise in finding and copying: a whole passage, the sentence that begins with some characters, or the
    value in which a sentence differs from the passage.

    All of a long answer is copied, so that it shows the model more of that than ten short answers do. A wrong value
    found and named says more than 错 about where to look.
    """
    if rng.random() < DIFFERENCE_SHARE:
        return _difference(passage, values, rng, mix)
    text = passage.text.replace("\n", "")
    if rng.random() < WHOLE_PASSAGE_SHARE:
        return Question("请原样抄写短文。", text, "copy", ())
    sentences = [part + "。" for part in text.split("。") if part]
    sentence = pick(rng, sentences)
    length = 2 + below(rng, 3)
    while sum(other.startswith(sentence[:length]) for other in sentences) > 1 and length < len(sentence):
        length += 1  # 会议材料… and 会议历时…: which is meant must be clear
    return Question(f"请写出以“{sentence[:length]}”开头的句子。", sentence, "copy", ())


def _choose(genre: Genre, rng: Random) -> list[Sentence]:
    """A lead and 1 to 3 further sentences in random order, no fact stated twice."""
    chosen = [pick(rng, genre.leads)]
    used = set(chosen[0].keys)
    groups = list(genre.body)
    wanted = pick(rng, SENTENCES)
    while groups and len(chosen) < wanted:
        group = groups.pop(below(rng, len(groups)))
        options = [s for s in group if used.isdisjoint(s.keys)]
        if options:
            chosen.append(pick(rng, options))
            used.update(chosen[-1].keys)
    return chosen


def _fill(genre: Genre, keys: list[str], values: Values, rng: Random) -> dict[str, str]:
    stated: dict[str, str] = {}
    date = ""
    for key in keys:
        pool = genre.facts[key].pool
        while True:
            value = values.near(date, rng) if date and pool == "date" else values.draw(pool, rng)
            # 2月5日 inside 12月5日, or 李明 inside 李明远, would make the answer ambiguous.
            if not any(value in other or other in value for other in stated.values()):
                break
        stated[key] = value
        if pool == "date" and not date:
            date = value
    for chain in genre.ascending:
        present = [key for key in chain if key in stated]
        for key, value in zip(present, sorted((stated[k] for k in present), key=_numbers), strict=True):
            stated[key] = value
    return stated


def _numbers(value: str) -> list[int]:
    """The numbers in a value: they order dates, times, amounts and versions."""
    return [int(n) for n in re.findall(r"\d+", value)]


def _stated(passage: Passage) -> list[Fact]:
    return [passage.genre.facts[key] for key in passage.values]


def _rivals(passage: Passage, fact: Fact) -> list[str]:
    """The other values of a passage that might be mistaken for the value of a fact."""
    return [passage.values[other.key] for other in _stated(passage) if other.sort == fact.sort and other != fact]


def _by_kind(facts: list[Fact], rng: Random) -> Fact:
    """A fact of a random question type, so that people, who are everywhere, do not fill the corpus."""
    kinds = dict.fromkeys(fact.kind for fact in facts)
    kind = pick(rng, [kind for kind in kinds for _ in range(KIND_WEIGHTS.get(kind, 1))])
    return pick(rng, [fact for fact in facts if fact.kind == kind])


def _ask(fact: Fact, rng: Random) -> str:
    """The question, and what to output: the sort of value, as in the seed, or its role (只输出人名, 只输出记录人).

    The role is nearer to the answer there. With it in every second question 82 to 88 instead of 64 to 71 % of people
    were right.
    """
    return f"{pick(rng, fact.asks)}？{pick(rng, (fact.demand, f'只输出{fact.label}。'))}"


def _not_stated(passage: Passage, rng: Random) -> Question | None:
    # As often as passages state it: a question mostly left unanswered would give itself away.
    genre = passage.genre
    missing = [
        fact for key, fact in genre.facts.items() if key not in passage.values for _ in range(genre.mentions[key])
    ]
    if not missing:
        return None
    fact = pick(rng, missing)
    return Question(_ask(fact, rng), NOT_STATED, "not_stated", (fact.key,))


def _true_false(passage: Passage, values: Values, rng: Random, mix: Mix) -> Question:
    statement, fact, said = _statement(passage, values, rng, mix, right=0.5)
    text = pick(rng, TRUE_FALSE_ASKS).format(statement)
    return Question(text, "对" if said == passage.values[fact.key] else "错", "true_false", (fact.key,))


def _difference(passage: Passage, values: Values, rng: Random, mix: Mix) -> Question:
    statement, fact, said = _statement(passage, values, rng, mix, right=FAULTLESS_SHARE)
    answer = FAULTLESS if said == passage.values[fact.key] else said
    return Question(f"下面的说法错在哪里？{statement}。", answer, "copy", ())


def _statement(passage: Passage, values: Values, rng: Random, mix: Mix, right: float) -> tuple[str, Fact, str]:
    """A sentence of the passage, one value of it wrong except in a share ``right``; the fact and the value it says.

    The passage's own sentence: in words of its own a statement was judged no better than by tossing a coin after
    2,000 steps.
    """
    fact = _by_kind(_stated(passage), rng)
    said = passage.values[fact.key] if rng.random() < right else _other(passage, fact, values, rng, mix.elsewhere)
    (sentence,) = (s for s in passage.sentences if fact.key in s.keys)
    return sentence.text.removesuffix("。").format_map({**passage.values, fact.key: said}), fact, said


def _other(passage: Passage, fact: Fact, values: Values, rng: Random, elsewhere_share: float) -> str:
    """A plausible wrong value: one that stands elsewhere in the passage, or a fresh one."""
    elsewhere = _rivals(passage, fact)
    if elsewhere and rng.random() < elsewhere_share:
        return pick(rng, elsewhere)
    true = passage.values[fact.key]
    while True:
        value = values.near(true, rng) if fact.pool == "date" else values.draw(fact.pool, rng)
        if not any(value in other or other in value for other in passage.values.values()):
            return value


def _json(passage: Passage, rng: Random) -> Question:
    keys = list(passage.values)
    wanted = 2 + below(rng, 2)
    picked = tuple(keys.pop(below(rng, len(keys))) for _ in range(min(wanted, len(keys))))
    answer = {passage.genre.facts[key].label: passage.values[key] for key in picked}
    text = pick(rng, JSON_ASKS).format("、".join(answer))
    return Question(text, json.dumps(answer, ensure_ascii=False, separators=(",", ":")), "json", picked)
