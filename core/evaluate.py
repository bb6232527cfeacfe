"""How good a model is: loss on held-out rows, and questions answered word for word."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch

from .batches import evaluation_batches
from .dataset import Dataset, encode_prompt
from .events import Event, Progress
from .generate import answer_batch, prompt_room
from .model import GPT
from .records import Record
from .schema import SamplingConfig
from .template import Template
from .tokenizer import Tokenizer

#: Rows in evaluation at once, in tokens: larger ones leave the processor's cache.
EVAL_TOKENS = 2048

T = TypeVar("T")


@torch.inference_mode()
def evaluate_loss(model: GPT, dataset: Dataset, pad: int, device: str, max_batches: int | None = None) -> float:
    """Mean cross-entropy in nats over all supervised tokens (not a mean of batch means), dropout off."""
    was_training = model.training
    model.eval()
    longest = int(dataset.lengths.max())
    total, count = 0.0, 0
    for batch in evaluation_batches(dataset, max(1, EVAL_TOKENS // longest), pad, device, max_batches):
        supervised = batch.supervised
        if supervised:
            total += float(model.loss_sum(batch.inputs, batch.targets, batch.positions, batch.hidden))
            count += supervised
    model.train(was_training)
    return total / count if count else math.nan


@dataclass(frozen=True)
class Graded:
    """One question, its right answer, the model's, and the verdict."""

    prompt: str
    expected: str
    answer: str
    verdict: str
    """'EXACT', 'CONTAINS' or 'MISS'"""
    kind: str = ""
    fact: str = ""


def grade(answer: str, expected: str) -> str:
    """EXACT: the same text (outer blanks aside), nothing more. CONTAINS: right, with something around it."""
    answer, expected = answer.strip(), expected.strip()
    if answer == expected:
        return "EXACT"
    return "CONTAINS" if expected and expected in answer else "MISS"


def questions_of(records: Sequence[Record]) -> list[Record]:
    """The rows that can be asked: those with a question."""
    return [record for record in records if record.turns]


def ask_all(
    model: GPT, tokenizer: Tokenizer, template: Template, sampling: SamplingConfig, records: Sequence[Record]
) -> Iterator[Graded]:
    """Ask the last question of every row, greedily and in batches, and grade the answers (in no fixed order)."""
    for _, graded in ask_numbered(model, tokenizer, template, sampling, records):
        yield graded


def ask_in_order(
    model: GPT, tokenizer: Tokenizer, template: Template, sampling: SamplingConfig, records: Sequence[Record]
) -> Generator[int, None, list[Graded]]:
    """``ask_all`` in the order of the records; yields how many have answered."""
    found: dict[int, Graded] = {}
    for i, graded in ask_numbered(model, tokenizer, template, sampling, records):
        found[i] = graded
        yield len(found)
    return [found[i] for i in range(len(records))]


def told(
    asking: Generator[int, None, T], task: str, total: int, step: int, before: int = 0
) -> Generator[Event, None, T]:
    """``asking`` with its counts as ``Progress``: ``before`` more, of ``total``, at most one for each 2 %."""
    every = max(1, total // 50)
    while True:
        try:
            done = before + next(asking)
        except StopIteration as end:
            return cast(T, end.value)
        if done % every == 0 or done == total:
            yield Progress(task, done, total, step)


def ask_numbered(
    model: GPT, tokenizer: Tokenizer, template: Template, sampling: SamplingConfig, records: Sequence[Record]
) -> Iterator[tuple[int, Graded]]:
    """``ask_all`` with the number of each row."""
    greedy = sampling.model_copy(update={"temperature": 0.0})
    room = prompt_room(model.config.seq_len, sampling.max_new_tokens)
    prompts = [
        encode_prompt(record.turns[-1], tokenizer, template, room, record.turns[:-1], record.system)
        for record in records
    ]
    for i, text in answer_batch(model, tokenizer, prompts, greedy):
        record = records[i]
        verdict = grade(text, record.completion)
        yield i, Graded(record.prompt, record.completion, text, verdict, record.kind, record.fact)


def wilson(successes: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a rate (Wilson 1927); (0, 1) where nothing was asked."""
    if total == 0:
        return 0.0, 1.0
    rate = successes / total
    centre = rate + z * z / (2 * total)
    spread = z * math.sqrt(rate * (1 - rate) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def summary(graded: Sequence[Graded]) -> dict[str, Any]:
    """Counts and rates; ``majority_rate`` is what always giving the commonest right answer would score."""
    counts = Counter(item.verdict for item in graded)
    total = len(graded)
    commonest = Counter(item.expected.strip() for item in graded).most_common(1)
    low, high = wilson(counts["EXACT"], total)
    return {
        "exact": counts["EXACT"],
        "contains": counts["CONTAINS"],
        "miss": counts["MISS"],
        "total": total,
        "exact_rate": counts["EXACT"] / total if total else 0.0,
        "ci95": [low, high],
        "majority_rate": commonest[0][1] / total if total else 0.0,
    }


def summary_by_kind(graded: Sequence[Graded]) -> dict[str, dict[str, Any]]:
    """``summary`` for each kind of question, where rows name one."""
    kinds = sorted({item.kind for item in graded if item.kind})
    return {kind: summary([item for item in graded if item.kind == kind]) for kind in kinds}
