"""The reading-comprehension corpus: short Chinese passages, each with a question and its answer.

Three splits: `train`, `valid` (new passages, values from the same pools) and `valid_unseen` (names, places,
numbers and all other values that never occur in `train`: what a model gets right there it has copied).
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from random import Random

from ..storage import atomic_file
from .reader_compose import GENRES, Mix, Question, compose_exercise, compose_passage, compose_question
from .reader_values import pick, values_of

SPLITS = ("train", "valid", "valid_unseen")
BEGINNING = "阅读下面短文：\n"  # of every prompt
MOST_LINE = 100_000  # bytes; the longest row has 3,000
PROGRESS_ROWS = 1000  # rows between two progress records
#: Questions asked about a passage at most. Those of training can be learnt together; validation asks only one, so
#: that its rows are independent of each other.
QUESTIONS = {"train": 6}
#: Passages of training with one exercise among their questions, in copying or in finding what is wrong (kind ``copy``;
#: validation has none).
EXERCISE_SHARE = 0.6
#: Training asks more often what is learnt last. A statement is compared with all of the passage, of which the answer
#: says one token: asked twice as often, 94 instead of 77 % were right after 2,000 steps. Which of two people, times or
#: places is meant: with three of four questions on such, and no fact asked for twice, 99.3 instead of 96.8 % of all.
MIXES = {"train": Mix(true_false=0.2, elsewhere=0.5, rivals=0.75), "valid": Mix(0.09), "valid_unseen": Mix(0.09)}


@dataclass(frozen=True, slots=True)
class Row:
    """One example. `kind` is the question type (`reader_schema.KINDS`), `genre` the kind of passage."""

    split: str
    prompt: str
    completion: str
    kind: str
    genre: str

    def to_json(self) -> str:
        """The row as a line of JSON, without its split."""
        fields = {
            "prompt": self.prompt,
            "completion": self.completion,
            "kind": self.kind,
            "genre": self.genre,
        }
        return json.dumps(fields, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Progress:
    """How many of all rows have been written."""

    done: int
    total: int


def make_reader_corpus(train: int, valid: int, seed: int) -> Generator[Row, None, None]:
    """Rows of the corpus: `valid` rows of `valid`, as many of `valid_unseen`, then `train` rows of `train`.

    No two prompts are alike over all splits. The validation rows come first, so that they depend on
    `valid` and `seed` only and stay the same for a larger training set, of which a smaller one is the
    beginning. ValueError (at once, not at the first row) for train < 1 or valid < 0.
    """
    if train < 1:
        raise ValueError(f"train must be at least 1, got {train}")
    if valid < 0:
        raise ValueError(f"valid must not be negative, got {valid}")
    return _rows({"valid": valid, "valid_unseen": valid, "train": train}, seed)


def is_reader_corpus(path: Path) -> bool:
    """Whether a file begins as the files of this corpus do."""
    with open(path, "rb") as file:
        try:
            row = json.loads(file.readline(MOST_LINE))
        except (ValueError, RecursionError):
            return False
    return isinstance(row, dict) and "genre" in row and str(row.get("prompt")).startswith(BEGINNING)


def write_reader_corpus(
    out_dir: str | os.PathLike[str], train: int, valid: int, seed: int
) -> Generator[Progress, None, None]:
    """Write train.jsonl, valid.jsonl and valid_unseen.jsonl into `out_dir` (made if missing).

    The three appear, or replace older ones, only after all rows are on disk; a generator closed or failing
    before that leaves the folder's files as they were. Errors as in `make_reader_corpus`, and OSError.
    """
    return _write(Path(out_dir), make_reader_corpus(train, valid, seed), train + 2 * valid)


def _rows(counts: dict[str, int], seed: int) -> Generator[Row, None, None]:
    seen: set[int] = set()  # 8-byte hashes: the prompts themselves would fill memory
    for split, count in counts.items():
        rng = Random(f"reader {seed} {split}")
        values = values_of(unseen=split == "valid_unseen")
        made = 0
        while made < count:
            passage = compose_passage(pick(rng, GENRES), values, rng)
            questions = QUESTIONS.get(split, 1)
            mix, asked = MIXES[split], set[str]()
            exercise = int(rng.random() * questions / EXERCISE_SHARE) if split == "train" else -1
            for number in range(min(questions, count - made)):
                if number == exercise:
                    question: Question | None = compose_exercise(passage, values, rng, mix)
                else:
                    question = compose_question(passage, values, rng, mix, asked)
                if question is None:
                    continue
                if len(question.keys) == 1 and question.answer == passage.values.get(question.keys[0]):
                    asked.update(question.keys)
                prompt = f"{BEGINNING}{passage.text}\n\n问题：{question.text}"
                key = int.from_bytes(blake2b(prompt.encode(), digest_size=8).digest(), "big")
                if key in seen:
                    continue
                seen.add(key)
                made += 1
                yield Row(split, prompt, question.answer, question.kind, passage.genre.name)


def _write(folder: Path, rows: Generator[Row, None, None], total: int) -> Generator[Progress, None, None]:
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        files = {split: stack.enter_context(atomic_file(folder / f"{split}.jsonl")) for split in SPLITS}
        for done, row in enumerate(rows, 1):
            files[row.split].write((row.to_json() + "\n").encode())
            if done % PROGRESS_ROWS == 0 and done < total:
                yield Progress(done, total)
    yield Progress(total, total)
