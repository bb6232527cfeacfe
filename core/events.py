"""What can happen in a training, as small frozen records.

The engine yields them; the console, ``metrics.jsonl`` and the app are three listeners of the one stream.
``to_json`` and ``from_json`` are exact inverses, so that a run can be watched from its file.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True)
class Event:
    """Base of all events; ``kind`` names the class in JSON."""

    kind: ClassVar[str] = ""

    def to_json(self) -> dict[str, Any]:
        """A plain mapping, ``kind`` first. A number that is not finite becomes None: JSON has no NaN."""
        values = dataclasses.asdict(self)
        return {"kind": self.kind, **{key: _finite(value) for key, value in values.items()}}


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


@dataclass(frozen=True)
class Started(Event):
    """What is going to happen, before the first step."""

    kind: ClassVar[str] = "started"
    run: str
    path: str
    recipe: str
    resumed_step: int
    device: str
    threads: int
    dtype: str
    parameters: int
    vocab_size: int
    total_steps: int | None
    max_minutes: float | None
    data: dict[str, Any] = field(default_factory=dict)
    time: float = 0.0
    """Seconds since 1970."""


@dataclass(frozen=True)
class State(Event):
    """The training enters a state: preparing, making_corpus, downloading, tokenizing, training, evaluating, saving,
    paused, finishing, verifying, answering, done."""

    kind: ClassVar[str] = "state"
    state: str
    step: int = 0


@dataclass(frozen=True)
class Notice(Event):
    """Something worth a line: ``template`` with its ``values`` apart, for translation."""

    kind: ClassVar[str] = "notice"
    template: str
    values: dict[str, Any] = field(default_factory=dict)
    level: str = "info"
    """'info' or 'warning'"""

    @property
    def text(self) -> str:
        return self.template.format(**self.values)


@dataclass(frozen=True)
class Progress(Event):
    """How far a long task before or after the training has come."""

    kind: ClassVar[str] = "progress"
    task: str
    """What it belongs to: a state ('making_corpus', 'downloading', 'verifying', 'answering'), or 'reading' the data,
    'encoding' it, 'comparing' int8 with fp32, or 'importing'."""
    done: int
    total: int
    """0: not known."""
    step: int = 0


@dataclass(frozen=True)
class Step(Event):
    """One log interval: means over its steps."""

    kind: ClassVar[str] = "step"
    step: int
    loss: float
    lr: float
    grad_norm: float
    tokens_per_second: float
    elapsed: float
    """Seconds of training, without pauses."""
    eta: float | None
    """Seconds left; None while it cannot be known."""
    epoch: float = 0.0
    tokens: int = 0
    """Real tokens seen so far."""
    progress: float = 0.0
    """0..1 of the budget."""


@dataclass(frozen=True)
class Eval(Event):
    kind: ClassVar[str] = "eval"
    step: int
    loss: float
    """Mean over all supervised tokens of the validation rows, in nats."""
    best: float = math.inf
    best_step: int = 0
    improved: bool = False


@dataclass(frozen=True)
class Probe(Event):
    kind: ClassVar[str] = "probe"
    step: int
    prompt: str
    answer: str
    expected: str | None
    exact: bool


@dataclass(frozen=True)
class Sample(Event):
    """What the model writes after ``data.start_context``, at the end of each epoch."""

    kind: ClassVar[str] = "sample"
    step: int
    epoch: int
    """Epochs done."""
    prompt: str
    text: str


@dataclass(frozen=True)
class Saved(Event):
    kind: ClassVar[str] = "checkpoint"
    step: int
    path: str
    tag: str = "last"
    """'last', 'best' or 'int8'"""
    bytes: int = 0


@dataclass(frozen=True)
class Skipped(Event):
    """A step whose loss or gradient was not finite, or exploded: nothing was learnt from it."""

    kind: ClassVar[str] = "skipped"
    step: int
    total: int
    fault: str = ""
    """'loss', 'gradient', 'exploded'"""


@dataclass(frozen=True)
class RolledBack(Event):
    """After repeated bad steps: back to the last good state, at a lower learning rate."""

    kind: ClassVar[str] = "rolled_back"
    step: int
    to_step: int
    lr_scale: float


@dataclass(frozen=True)
class Changed(Event):
    """Settings changed while training."""

    kind: ClassVar[str] = "changed"
    step: int
    values: dict[str, Any]


@dataclass(frozen=True)
class Verified(Event):
    """Questions answered after training: rates by part ('valid', 'valid_unseen', 'train'), in each by kind."""

    kind: ClassVar[str] = "verified"
    step: int
    parts: dict[str, Any]


@dataclass(frozen=True)
class Responses(Event):
    """The test rows were answered into ``responses.json``."""

    kind: ClassVar[str] = "responses"
    step: int
    path: str
    rows: int
    exact: int
    """Answers that are the expected one, word for word."""
    loss: float | None
    """Mean over all tokens of the expected answers, in nats."""


@dataclass(frozen=True)
class Quantized(Event):
    """The int8 checkpoint against the fp32 one."""

    kind: ClassVar[str] = "int8"
    step: int
    path: str
    bytes: int
    fp32_bytes: int
    agreement: float
    """Share of the asked questions with the same answer."""
    questions: int
    tokens_per_second: float
    fp32_tokens_per_second: float


@dataclass(frozen=True)
class Finished(Event):
    """The last event of every run that came to an end by itself or was stopped."""

    kind: ClassVar[str] = "finished"
    reason: str
    """'max_steps', 'max_epochs', 'max_minutes', 'early_stopping', 'stop_loss', 'user', 'SIGINT', 'SIGTERM'"""
    steps: int
    train_seconds: float
    total_seconds: float = 0.0
    loss: float | None = None
    best_loss: float | None = None
    best_step: int = 0


def goes_back_to(event: Event) -> int | None:
    """The last step that still counts after a resume or a rollback; None for any other event."""
    if isinstance(event, Started):
        return event.resumed_step
    return event.to_step if isinstance(event, RolledBack) else None


KINDS: dict[str, type[Event]] = {
    cls.kind: cls
    for cls in (
        Started,
        State,
        Notice,
        Progress,
        Step,
        Eval,
        Probe,
        Sample,
        Saved,
        Skipped,
        RolledBack,
        Changed,
        Verified,
        Responses,
        Quantized,
        Finished,
    )
}


def from_json(values: dict[str, Any]) -> Event | None:
    """The event of a line of ``metrics.jsonl``; None for a kind or shape this version does not know."""
    cls = KINDS.get(str(values.get("kind")))
    if cls is None:
        return None
    kinds = _kinds_of(cls.kind)
    given = {key: value for key, value in values.items() if key in kinds}
    for name, value in given.items():
        if value is None and kinds[name] == "float":
            given[name] = math.nan
        elif not _fits(kinds[name], value):
            return None
    try:
        return cls(**given)
    except TypeError:
        return None


@functools.cache
def _kinds_of(event: str) -> dict[str, str]:
    """The types of an event's fields, looked at once: a long run has thousands of lines."""
    return {f.name: str(f.type) for f in dataclasses.fields(KINDS[event])}


def _fits(kind: str, value: Any) -> bool:
    """Whether a value of a file may stand in a field of this type; others may have written the file."""
    if value is None:
        return "None" in kind
    if kind.startswith(("int", "float")):
        return type(value) is int or (kind.startswith("float") and isinstance(value, float))
    known = {"str": str, "bool": bool, "dict": dict, "list": list}
    return next((isinstance(value, known[name]) for name in known if kind.startswith(name)), True)
