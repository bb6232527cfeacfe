"""Grading, rates and their intervals, and the loss on held-out rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from core import evaluate
from core.dataset import build_dataset
from core.evaluate import Graded, ask_all, evaluate_loss, grade, questions_of, summary, summary_by_kind, told, wilson
from core.events import Progress
from core.generate import Answer, generate
from core.model import GPT
from core.records import Record, Turn
from core.runs import LoadedModel
from core.schema import SamplingConfig
from core.template import TEMPLATES
from core.tokenizer import Tokenizer

from ..drained import drained

Make = Callable[..., GPT]


def row(prompt: str, completion: str = "鱼", **more: Any) -> Record:
    return Record(turns=(Turn(prompt, completion),), **more)


# -- grading --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "expected", "verdict"),
    [
        ("水。", "水。", "EXACT"),
        (" 水。\n", "水。", "EXACT"),
        ("水。", "  水。 ", "EXACT"),
        ("邮件", "邮件", "EXACT"),
        ('邮件"}"}月19日', "邮件", "CONTAINS"),  # the junk tail that was once counted as right
        ("水。水。", "水。", "CONTAINS"),
        ("答案是水。", "水。", "CONTAINS"),
        ("水", "水。", "MISS"),
        ("水 。", "水。", "MISS"),
        ("Water", "water", "MISS"),
        ("水．", "水。", "MISS"),
        ("", "水。", "MISS"),
        ("火", "水。", "MISS"),
        ("火", "", "MISS"),
        ("火", "  ", "MISS"),
    ],
)
def test_grades(answer: str, expected: str, verdict: str) -> None:
    assert grade(answer, expected) == verdict


# -- intervals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (10, 10, 0.7225, 1.0),
        (0, 10, 0.0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (1, 1, 0.2065, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_wilson_against_published_values(successes: int, total: int, low: float, high: float) -> None:
    assert wilson(successes, total) == pytest.approx((low, high), abs=6e-5)


@given(st.integers(1, 10_000), st.data())
def test_wilson_holds_the_rate_and_is_symmetric(total: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, total))
    low, high = wilson(successes, total)
    assert 0.0 <= low <= successes / total + 1e-12
    assert successes / total - 1e-12 <= high <= 1.0
    other_low, other_high = wilson(total - successes, total)
    assert (low, high) == pytest.approx((1 - other_high, 1 - other_low), abs=1e-9)
    closer = wilson(10 * successes, 10 * total)
    assert closer[1] - closer[0] < high - low


# -- summaries ------------------------------------------------------------------------------------------------


def graded(verdict: str, expected: str, kind: str = "") -> Graded:
    return Graded("?", expected, "", verdict, kind)


def test_summary_counts_and_compares_with_the_commonest_answer() -> None:
    items = [graded("EXACT", "a"), graded("MISS", " a "), graded("MISS", "b"), graded("CONTAINS", "c")]
    assert summary(items) == {
        "exact": 1,
        "contains": 1,
        "miss": 2,
        "total": 4,
        "exact_rate": 0.25,
        "ci95": list(wilson(1, 4)),
        "majority_rate": 0.5,
    }


def test_summary_of_nothing() -> None:
    assert summary([]) == {
        "exact": 0, "contains": 0, "miss": 0, "total": 0, "exact_rate": 0.0, "ci95": [0.0, 1.0], "majority_rate": 0.0,
    }  # fmt: skip


def test_summaries_by_kind_leave_out_rows_without_one() -> None:
    items = [
        graded("EXACT", "a", "fact"),
        graded("MISS", "b", "fact"),
        graded("EXACT", "c", "out"),
        graded("MISS", "d"),
    ]
    found = summary_by_kind(items)
    assert list(found) == ["fact", "out"]
    assert (found["fact"]["exact"], found["fact"]["total"]) == (1, 2)
    assert (found["out"]["exact"], found["out"]["total"]) == (1, 1)
    assert summary_by_kind([graded("EXACT", "a")]) == {}


# -- asking ---------------------------------------------------------------------------------------------------


def test_rows_without_a_question_are_not_asked() -> None:
    assert questions_of([Record(text="只是文本"), row("猫？")]) == [row("猫？")]


@pytest.fixture
def random_model(make_model: Make, words: Tokenizer) -> GPT:
    return make_model(words.vocab_size)


def test_asking_all_is_asking_one_by_one(
    random_model: GPT, words: Tokenizer, loaded: Callable[..., LoadedModel]
) -> None:
    model = loaded(random_model, words, max_new_tokens=12, temperature=1.0)
    records = [row("猫？" * n, f"答{n}", kind="k", fact=f"f{n}") for n in range(1, 25)]
    found = {
        item.prompt: item for item in ask_all(random_model, words, TEMPLATES["teacher"], model.config.sampling, records)
    }
    assert set(found) == {record.prompt for record in records}
    greedy = model.config.sampling.model_copy(update={"temperature": 0.0})
    for record in records:
        *_, end = generate(model, record.prompt, greedy)
        assert isinstance(end, Answer)
        item = found[record.prompt]
        assert item.answer == end.text
        assert (item.expected, item.kind, item.fact) == (record.completion, "k", record.fact)
        assert item.verdict == grade(end.text, record.completion)


def test_a_right_answer_is_exact(recite: Make, words: Tokenizer) -> None:
    """From ``<bos>`` on, with a template whose prompt is ``<bos>`` and the question."""
    question = words.encode("用户:鲸是什么？\n助手:")
    answer = words.encode("水是由氢和氧组成的物质。")
    model = recite(words, [*question, *answer])
    (item,) = ask_all(
        model, words, TEMPLATES["teacher"], SamplingConfig(), [row("鲸是什么？", "水是由氢和氧组成的物质。")]
    )
    assert (item.answer, item.verdict) == ("水是由氢和氧组成的物质。", "EXACT")


def test_the_last_question_of_a_conversation_is_asked(
    random_model: GPT, words: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[int]] = []

    def spy(model: GPT, tokenizer: Tokenizer, prompts: list[list[int]], config: SamplingConfig) -> Any:
        assert config.temperature == 0.0
        seen.extend(prompts)
        return iter([(i, "x") for i in range(len(prompts))])

    monkeypatch.setattr(evaluate, "answer_batch", spy)
    record = Record(turns=(Turn("一？", "1"), Turn("二？", "2", "或")), system="短")
    template = TEMPLATES["plain"]
    (item,) = ask_all(random_model, words, template, SamplingConfig(max_new_tokens=4, temperature=1.0), [record])
    assert words.decode(seen[0]) == "短\n一？1\n二？\n或"
    assert (item.prompt, item.expected) == ("二？", "2")


# -- loss -----------------------------------------------------------------------------------------------------


def by_hand(model: GPT, dataset: Any) -> float:
    """Mean over all supervised tokens, row by row, without padding or batches."""
    total, count = 0.0, 0
    for start, length in zip(dataset.starts, dataset.lengths, strict=True):
        tokens = torch.from_numpy(dataset.tokens[start : start + length].astype("int64"))
        learn = torch.from_numpy(dataset.learn[start + 1 : start + length])
        logits = model.logits(model(tokens[None, :-1]))[0].double()
        total += float(F.cross_entropy(logits[learn], tokens[1:][learn], reduction="sum"))
        count += int(learn.sum())
    return total / count


def test_loss_is_a_mean_over_tokens_whatever_the_batches(
    random_model: GPT, words: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [row("猫？" * (1 + n % 4), "水是由氢和氧组成的物质。" * (1 if n % 5 else 2)) for n in range(17)]
    dataset = build_dataset(records, words, TEMPLATES["teacher"], 48)
    with torch.inference_mode():
        wanted = by_hand(random_model, dataset)
    for tokens in (1, 100, 8192):
        monkeypatch.setattr(evaluate, "EVAL_TOKENS", tokens)
        assert evaluate_loss(random_model, dataset, words.pad, "cpu") == pytest.approx(wanted, rel=1e-5)


def test_loss_is_computed_without_dropout_and_leaves_the_mode(make_model: Make, words: Tokenizer) -> None:
    model = make_model(words.vocab_size, dropout=0.5)
    dataset = build_dataset([row("猫？")] * 3, words, TEMPLATES["teacher"], 48)
    quiet = evaluate_loss(model, dataset, words.pad, "cpu")
    model.train()
    assert [evaluate_loss(model, dataset, words.pad, "cpu") for _ in range(2)] == [quiet, quiet]
    assert model.training
    model.eval()
    evaluate_loss(model, dataset, words.pad, "cpu")
    assert not model.training


def test_loss_of_a_few_batches(random_model: GPT, words: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "EVAL_TOKENS", 1)
    dataset = build_dataset([row("猫？"), row("猫吃鱼？" * 3)], words, TEMPLATES["teacher"], 48)
    first = build_dataset([row("猫？")], words, TEMPLATES["teacher"], 48)
    wanted = evaluate_loss(random_model, first, words.pad, "cpu")
    assert evaluate_loss(random_model, dataset, words.pad, "cpu", max_batches=1) == pytest.approx(wanted)
    assert evaluate_loss(random_model, dataset, words.pad, "cpu") != pytest.approx(wanted)
    assert math.isnan(evaluate_loss(random_model, dataset, words.pad, "cpu", max_batches=0))


@pytest.mark.parametrize(("total", "before"), [(3, 0), (101, 0), (1000, 0), (1000, 400), (1007, 0)])
def test_progress_is_told_at_most_once_for_two_percent_and_at_the_end(total: int, before: int) -> None:
    def asking() -> Generator[int, None, str]:
        yield from range(1, total - before + 1)
        return "answers"

    found, answers = drained(told(asking(), "verifying", total, 7, before))
    assert answers == "answers"
    assert all(isinstance(event, Progress) for event in found)
    done = [event.done for event in found if isinstance(event, Progress)]
    assert done == sorted(set(done))
    assert (done[-1], found[-1]) == (total, Progress("verifying", total, total, 7))
    share = (total - before) / total
    assert min(45, total) * share <= len(done) <= max(3, 52 * share)
