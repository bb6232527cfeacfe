"""Two checkpoints, the same questions: which one is better, and is that more than chance?"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .callable_module import make_callable
from .errors import DataError
from .evaluate import Graded, ask_numbered, questions_of, summary, summary_by_kind
from .events import Progress
from .records import Record
from .runs import LoadedModel
from .template import TEMPLATES

#: A verdict needs a result that chance gives less often than this.
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Change:
    """A row that one of the two answers exactly and the other does not."""

    prompt: str
    expected: str
    a: str
    b: str
    kind: str = ""


@dataclass(frozen=True)
class Comparison:
    """What came out of asking both."""

    a: dict[str, Any]
    """Counts, rate and interval, as in ``evaluate.summary``, with ``by_kind`` where rows name one."""
    b: dict[str, Any]
    gained: list[Change]
    """Rows that only B answers."""
    lost: list[Change]
    """Rows that only A answers."""
    p: float

    @property
    def verdict(self) -> str:
        """'better' or 'worse' (B than A), or 'same' where the difference may be chance."""
        if self.p >= SIGNIFICANT:
            return "same"
        return "better" if len(self.gained) > len(self.lost) else "worse"

    def to_json(self) -> dict[str, Any]:
        return {
            "a": self.a,
            "b": self.b,
            "gained": [asdict(change) for change in self.gained],
            "lost": [asdict(change) for change in self.lost],
            "p": self.p,
            "verdict": self.verdict,
        }


def sign_test(gained: int, lost: int) -> float:
    """The exact McNemar test (McNemar 1947): the probability, if gaining and losing a row were equally likely, of
    a result at least as uneven. Rows that both answer or both miss say nothing."""
    n, term, tail = gained + lost, 1, 1
    for i in range(min(gained, lost)):  # term: how many ways there are to gain or lose exactly i + 1 of n
        term = term * (n - i) // (i + 1)
        tail += term
    return float(min(1.0, 2 * tail / 2**n))


def compare(a: LoadedModel, b: LoadedModel, records: Sequence[Record]) -> Generator[Progress, None, Comparison]:
    """Ask both the last question of every row, each in its own words (template); yields how far it is.

    Raises ``DataError`` where there is no question.
    """
    questions = questions_of(records)
    if not questions:
        raise DataError("no question with an answer to compare on")
    graded: list[list[Graded]] = []
    for number, loaded in enumerate((a, b)):
        found: dict[int, Graded] = {}
        template = TEMPLATES[loaded.config.data.template]
        for i, item in ask_numbered(loaded.model, loaded.tokenizer, template, loaded.config.sampling, questions):
            found[i] = item
            yield Progress("comparing", number * len(questions) + len(found), 2 * len(questions))
        graded.append([found[i] for i in range(len(questions))])
    gained: list[Change] = []
    lost: list[Change] = []
    for one, other in zip(*graded, strict=True):
        right = (one.verdict == "EXACT", other.verdict == "EXACT")
        if right[0] != right[1]:
            change = Change(one.prompt, one.expected, one.answer, other.answer, one.kind)
            (lost if right[0] else gained).append(change)
    return Comparison(
        _summary(graded[0]), _summary(graded[1]), gained, lost, sign_test(len(gained), len(lost))
    )  # fmt: skip


def _summary(graded: Sequence[Graded]) -> dict[str, Any]:
    found = summary(graded)
    kinds = summary_by_kind(graded)
    return {**found, "by_kind": kinds} if kinds else found


make_callable(__name__)
