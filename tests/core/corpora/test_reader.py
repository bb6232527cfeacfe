"""The reading-comprehension corpus: answers that stand in the passage, and values that training never saw."""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from hashlib import sha256
from itertools import pairwise, product
from pathlib import Path
from random import Random

import pytest

from core.corpora import reader_words as words
from core.corpora.reader import QUESTIONS, Progress, Row, make_reader_corpus, write_reader_corpus
from core.corpora.reader_compose import (
    FAULTLESS,
    GENRES,
    JSON_ASKS,
    MAX_CHARS,
    MIN_CHARS,
    NOT_STATED,
    TRUE_FALSE_ASKS,
    Mix,
    Passage,
    Question,
    compose_passage,
    compose_question,
)
from core.corpora.reader_schema import FAMILIES, KINDS, parse_genres
from core.corpora.reader_values import is_held_out, pick, values_of

SPLIT_NAMES = ("train", "valid", "valid_unseen")


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return list(make_reader_corpus(train=8000, valid=1000, seed=123))


@pytest.fixture(scope="module")
def cases() -> list[tuple[Passage, Question]]:
    """What lies behind 6,000 rows, half with held-out values."""
    rng = Random(5)
    made: list[tuple[Passage, Question]] = []
    for unseen in (False, True):
        values = values_of(unseen)
        while len(made) < (6000 if unseen else 3000):
            passage = compose_passage(pick(rng, GENRES), values, rng)
            question = compose_question(passage, values, rng, Mix(true_false=0.15))
            if question:
                made.append((passage, question))
    return made


def passage_of(row: Row) -> str:
    return row.prompt.removeprefix("阅读下面短文：\n").rpartition("\n\n问题：")[0]


def question_of(row: Row) -> str:
    return row.prompt.rpartition("\n\n问题：")[2]


# --- the answers ------------------------------------------------------------------------------------------


def test_every_answer_is_right(cases: list[tuple[Passage, Question]]) -> None:
    for passage, question in cases:
        facts = passage.genre.facts
        stated = passage.values
        if question.kind == "not_stated":
            assert question.answer == NOT_STATED
            assert not set(question.keys) & set(stated)
        elif question.kind == "json":
            assert 2 <= len(question.keys) <= 3
            assert json.loads(question.answer) == {facts[key].label: stated[key] for key in question.keys}
            assert " " not in question.answer and "\\u" not in question.answer
        elif question.kind == "true_false":
            (key,) = question.keys
            said = next(s.text for s in passage.sentences if key in s.keys).format_map(stated).removesuffix("。")
            assert question.answer == ("对" if said in question.text else "错")
        else:
            (key,) = question.keys
            assert question.kind == facts[key].kind
            assert question.answer == stated[key]
            assert question.text.endswith((facts[key].demand, f"只输出{facts[key].label}。"))


def test_no_value_of_a_passage_can_be_mistaken_for_another(cases: list[tuple[Passage, Question]]) -> None:
    for passage, _ in cases:
        for value in passage.values.values():
            assert passage.text.count(value) == 1, passage.text


def test_passages_have_two_to_four_sentences_and_40_to_110_characters(rows: list[Row]) -> None:
    for row in rows:
        text = passage_of(row).replace("\n", "")
        assert MIN_CHARS <= len(text) <= MAX_CHARS
        assert 2 <= text.count("。") <= 4
        assert "{" not in row.prompt and "}" not in row.prompt


def test_many_answers_have_a_rival_of_the_same_sort(cases: list[tuple[Passage, Question]]) -> None:
    rivals: dict[str, list[bool]] = defaultdict(list)
    for passage, question in cases:
        if question.kind in ("person", "host", "time", "date", "place"):
            facts = passage.genre.facts
            sorts = Counter(facts[key].sort for key in passage.values)
            rivals[question.kind].append(sorts[facts[question.keys[0]].sort] > 1)
    for kind, found in rivals.items():
        assert sum(found) / len(found) > 0.12, (kind, sum(found) / len(found))


def test_position_does_not_tell_the_answer(cases: list[tuple[Passage, Question]]) -> None:
    """Of two people in a passage, the one asked for stands first about as often as second."""
    first = []
    for passage, question in cases:
        people = [key for key in passage.values if passage.genre.facts[key].family == "person"]
        if question.kind == "person" and len(people) == 2:
            people.sort(key=lambda key: passage.text.index(passage.values[key]))
            first.append(people[0] == question.keys[0])
    assert 0.3 < sum(first) / len(first) < 0.7


def test_training_asks_rather_between_rivals_and_no_fact_twice() -> None:
    contested: dict[bool, list[bool]] = {True: [], False: []}
    values = values_of(unseen=False)
    for rivals in (True, False):
        rng, mix = Random(6), Mix(true_false=0.2, rivals=0.75 if rivals else 0.0)
        for _ in range(600):
            passage, asked = compose_passage(pick(rng, GENRES), values, rng), set[str]()
            for _ in range(6):
                question = compose_question(passage, values, rng, mix, asked)
                if question and question.answer == passage.values.get(question.keys[0]) and len(question.keys) == 1:
                    assert question.keys[0] not in asked or asked == set(passage.values)
                    asked.update(question.keys)
                    sort = passage.genre.facts[question.keys[0]].sort
                    beside = [key for key in passage.values if passage.genre.facts[key].sort == sort]
                    contested[rivals].append(len(beside) > 1)
    shares = {rivals: sum(found) / len(found) for rivals, found in contested.items()}
    assert shares[True] > shares[False] + 0.05, shares


def test_true_and_false_are_balanced_and_false_values_also_stand_in_passages(
    cases: list[tuple[Passage, Question]],
) -> None:
    answers: Counter[str] = Counter()
    elsewhere = 0
    for passage, question in cases:
        if question.kind == "true_false":
            answers[question.answer] += 1
            if question.answer == "错":
                elsewhere += said_of(passage, question) in passage.values.values()
    assert 0.42 < answers["对"] / answers.total() < 0.58
    assert 0.03 < elsewhere / answers["错"] < 0.4


def said_of(passage: Passage, question: Question) -> str:
    """The value that a true|false question gives the fact it is about."""
    (key,) = question.keys
    (sentence,) = (s for s in passage.sentences if key in s.keys)
    before, _, after = sentence.text.removesuffix("。").partition(f"{{{key}}}")
    found = re.search(
        f"{re.escape(before.format_map(passage.values))}(.+?){re.escape(after.format_map(passage.values))}",
        question.text,
    )
    assert found
    return found[1]


def test_answers_cannot_be_guessed(rows: list[Row]) -> None:
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        answers[row.kind][row.completion] += 1
    assert set(answers) == set(KINDS)
    for kind, found in answers.items():
        share = found.most_common(1)[0][1] / found.total()
        limit = {"not_stated": 1.0, "true_false": 0.55, "copy": 0.25}.get(kind, 0.05)
        assert share <= limit, kind
    asked = Counter(row.kind for row in rows if row.split != "train")
    assert 0.06 < asked["not_stated"] / asked.total() < 0.10
    assert 0.07 < asked["true_false"] / asked.total() < 0.12
    learnt = Counter(row.kind for row in rows if row.split == "train")
    assert 0.15 < learnt["true_false"] / learnt.total() < 0.22


def test_the_question_alone_does_not_tell_that_nothing_is_stated(rows: list[Row]) -> None:
    asked: dict[tuple[str, str], Counter[bool]] = defaultdict(Counter)
    for row in rows:
        if row.kind not in ("json", "true_false"):
            question = question_of(row).partition("？")[0]
            asked[row.genre, question][row.kind == "not_stated"] += 1
    missing = sum(found[True] for found in asked.values())
    given_away = sum(found[True] for found in asked.values() if not found[False])
    assert given_away / missing < 0.05


# --- the splits -------------------------------------------------------------------------------------------


def test_counts_splits_and_unlike_prompts(rows: list[Row]) -> None:
    assert Counter(row.split for row in rows) == {"train": 8000, "valid": 1000, "valid_unseen": 1000}
    assert len({row.prompt for row in rows}) == len(rows)
    assert {row.genre for row in rows} == {genre.name for genre in GENRES}


def test_no_unseen_value_is_a_substring_of_a_training_row(rows: list[Row]) -> None:
    train = "\n".join(row.prompt + "\n" + row.completion for row in rows if row.split == "train")
    rng, values = Random(9), values_of(unseen=True)
    held_out = {v for _ in range(300) for v in compose_passage(pick(rng, GENRES), values, rng).values.values()}
    assert len(held_out) > 1000
    assert [value for value in held_out if value in train] == []
    assert len(set("".join(held_out)) - set(train)) < 4, "of 100,000 rows, not these 8,000, none is missing"


def test_no_training_row_holds_a_held_out_name_or_stem(rows: list[Row]) -> None:
    """Stronger than sampling: not one of all held-out character pairs, nor of all held-out word pairs."""
    pairs = {a + b for a, b in product(words.GIVEN, repeat=2)}
    pairs |= {a + b for a, b in product(words.SURNAMES, words.GIVEN)}
    pairs |= {a + b for a, b in product(words.STEM, repeat=2) if a != b}
    pairs = set(filter(is_held_out, pairs))
    train = "\n".join(row.prompt for row in rows if row.split == "train")
    assert {a + b for a, b in pairwise(train)} & pairs == set()
    held_out = [p for p in all_word_pairs() if is_held_out(p)]
    assert [p for p in held_out if p in train] == []


def test_templates_cannot_spell_a_held_out_value() -> None:
    """By construction, not by luck: no fixed text holds one, none can arise where a value meets text."""
    fixed = [s.text for g in GENRES for s in (*g.leads, *(v for group in g.body for v in group))]
    facts = [fact for g in GENRES for fact in g.facts.values()]
    fixed += [text for f in facts for text in (f.label, f.demand, *f.asks)]
    fixed += [*TRUE_FALSE_ASKS, *JSON_ASKS, NOT_STATED, "阅读下面短文：问题："]
    fixed += [" ".join(table) for table in words.PAIRS.values()]
    fixed += [*words.PLAIN.values(), *words.SUFFIXES.values(), words.BOOK_ENDINGS]
    parts = [p for p in all_word_pairs() if is_held_out(p)]
    assert [p for p in parts for text in fixed if p in text] == []
    name_characters = set(words.GIVEN) | set(words.STEM)
    assert not name_characters & set(words.SURNAMES)
    for text in fixed:
        for a, b in pairwise(text):
            spelt = a in name_characters | set(words.SURNAMES) and b in name_characters
            assert not (spelt and is_held_out(a + b)), (text, a + b)
        for after in re.findall(r"\}(.)", text):
            assert after not in name_characters, (text, after)
        for before in re.findall(r"(.)\{", text):
            assert before not in name_characters | set(words.SURNAMES), (text, before)
        assert not re.search(r"\d", text)
    for ending in " ".join([*words.SUFFIXES.values(), words.BOOK_ENDINGS]).split():
        assert ending[0] not in name_characters


def test_every_pool_has_enough_on_both_sides() -> None:
    rng = Random(3)
    seen, unseen = values_of(unseen=False), values_of(unseen=True)
    assert seen.pools() == unseen.pools()
    for pool in seen.pools():
        train = {seen.draw(pool, rng) for _ in range(1500)}
        held_out = {unseen.draw(pool, rng) for _ in range(300)}
        assert len(train) >= 30 and len(held_out) >= 4, pool
        assert not train & held_out, pool
        assert set("".join(held_out)) <= set("".join(train)), pool


def all_word_pairs() -> list[str]:
    return [a + b for first, second, _ in words.PAIRS.values() for a in first.split() for b in second.split()]


# --- determinism and arguments ----------------------------------------------------------------------------


def test_training_holds_exercises_in_copying(rows: list[Row]) -> None:
    exercises = [row for row in rows if row.kind == "copy"]
    assert {row.split for row in exercises} == {"train"}
    assert 0.09 < len(exercises) / sum(row.split == "train" for row in rows) < 0.13
    found: Counter[str] = Counter()
    for row in exercises:
        text, question = passage_of(row).replace("\n", ""), question_of(row)
        begin = re.fullmatch("请写出以“(.+)”开头的句子。", question)
        wrong = re.fullmatch("下面的说法错在哪里？(.+)", question)
        if begin:
            found["sentence"] += 1
            assert row.completion.startswith(begin[1]) and row.completion in text
            assert row.completion.index("。") == len(row.completion) - 1
        elif wrong:
            found["difference"] += 1
            if row.completion == FAULTLESS:
                found["faultless"] += 1
                assert wrong[1] in text
            else:
                assert wrong[1] not in text
                cuts = [m.span() for m in re.finditer(re.escape(row.completion), wrong[1])]
                assert any(wrong[1][:begin] in text and wrong[1][end:] in text for begin, end in cuts)
        else:
            found["whole"] += 1
            assert row.completion == text
    copying = found["whole"] + found["sentence"]
    assert 0.4 < copying / len(exercises) < 0.6
    assert 0.3 < found["whole"] / copying < 0.5
    assert 0.25 < found["faultless"] / found["difference"] < 0.45


def test_questions_on_one_passage_are_neighbours_in_training_only(rows: list[Row]) -> None:
    counts = {split: Counter(passage_of(row) for row in rows if row.split == split) for split in SPLIT_NAMES}
    assert set(counts["valid"].values()) == set(counts["valid_unseen"].values()) == {1}
    assert max(counts["train"].values()) <= QUESTIONS["train"]
    assert sum(counts["train"].values()) / len(counts["train"]) > 4.5
    order = [passage_of(row) for row in rows if row.split == "train"]
    assert sum(a != b for a, b in pairwise(order)) == len(counts["train"]) - 1


def test_the_rows_of_a_seed_never_change() -> None:
    """If this fails, every corpus made before changes: say so in the changelog, then renew the digest."""
    text = "".join(row.to_json() for row in make_reader_corpus(train=200, valid=20, seed=7))
    assert sha256(text.encode()).hexdigest()[:16] == "69834dee68b50a20"


def test_seeds_differ_and_the_global_generator_plays_no_part(rows: list[Row]) -> None:
    import random

    random.seed(1)
    state = random.getstate()
    again = list(make_reader_corpus(train=50, valid=1000, seed=123))
    assert random.getstate() == state
    assert again == rows[:2050], "a smaller training set is the beginning of a larger one"
    assert list(make_reader_corpus(train=50, valid=0, seed=124)) != again[2000:]


@pytest.mark.parametrize(
    ("train", "valid", "message"),
    [(0, 5, "train must be at least 1, got 0"), (5, -1, "valid must not be negative, got -1")],
)
def test_wrong_counts_are_refused_at_once(train: int, valid: int, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        make_reader_corpus(train, valid, seed=1)
    with pytest.raises(ValueError, match=message):
        write_reader_corpus(tmp_path / "new", train, valid, seed=1)
    assert not (tmp_path / "new").exists()


# --- the files --------------------------------------------------------------------------------------------


def test_files_hold_the_rows_in_the_seed_s_template(tmp_path: Path) -> None:
    steps = list(write_reader_corpus(tmp_path / "a" / "b", train=1500, valid=10, seed=4))
    assert steps == [Progress(1000, 1520), Progress(1520, 1520)]
    expected = list(make_reader_corpus(train=1500, valid=10, seed=4))
    assert sorted(p.name for p in (tmp_path / "a" / "b").iterdir()) == sorted(f"{s}.jsonl" for s in SPLIT_NAMES)
    for split in SPLIT_NAMES:
        lines = (tmp_path / "a" / "b" / f"{split}.jsonl").read_bytes().decode().removesuffix("\n").split("\n")
        records = [json.loads(line) for line in lines]
        assert all(list(record) == ["prompt", "completion", "kind", "genre"] for record in records)
        assert [Row(split, **record) for record in records] == [r for r in expected if r.split == split]
        assert all(re.fullmatch(r"阅读下面短文：\n(.+\n\n)?.+\n\n问题：.+", r["prompt"]) for r in records)


def test_a_closed_writer_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text("old")
    writer = write_reader_corpus(tmp_path, train=5000, valid=0, seed=4)
    assert next(writer) == Progress(1000, 5000)
    writer.close()
    assert os.listdir(tmp_path) == ["train.jsonl"]
    assert (tmp_path / "train.jsonl").read_text() == "old"


# --- the tables -------------------------------------------------------------------------------------------


def test_tables_are_whole() -> None:
    pools = {*values_of(unseen=False).pools()}
    assert len({g.name for g in GENRES}) == len(GENRES) >= 8
    for genre in GENRES:
        labels = [fact.label for fact in genre.facts.values()]
        assert len(set(labels)) == len(labels), genre.name
        assert len(genre.leads) >= 4 and len(genre.body) >= 4
        for fact in genre.facts.values():
            assert fact.pool in pools and fact.family in FAMILIES and fact.kind in KINDS
            assert len(fact.asks) >= 2


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("> {who}来了。", "genre x: facts and slots differ: who"),
        ("who person 谁 谁来了\n> 有人来了。", "genre x: facts and slots differ: who"),
        ("who person 谁\n> {who}来了。", "genre x: not a fact: who person 谁"),
        (
            "who person 谁 谁来了\nascending: when\n> {who}来了。",
            "genre x: facts and slots differ: when",
        ),
    ],
)
def test_a_faulty_table_is_named(lines: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_genres(f"[x 例]\n{lines}")


def test_a_sentence_that_is_to_be_copied_is_the_only_one_that_begins_so(rows: list[Row]) -> None:
    asked = 0
    for row in rows:
        match = re.search("请写出以“(.+)”开头的句子。$", row.prompt)
        if match:
            sentences = [part + "。" for part in passage_of(row).replace("\n", "").split("。") if part]
            assert [one for one in sentences if one.startswith(match[1])] == [row.completion]
            asked += 1
    assert asked > 100
