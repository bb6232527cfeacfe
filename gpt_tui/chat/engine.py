"""The real thing behind the chat: checkpoints loaded with ``core.runs``, answers from ``core.generate``.

Every function here runs in the answering thread, and torch is imported there only.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .records import LIVE, Choice, Ending, Facts, Piece, Question, Voice

if TYPE_CHECKING:
    from core.config import Config
    from core.runs import LoadedModel
    from core.schema import SamplingConfig


@dataclass(frozen=True)
class Entry:
    """A run to choose, and its checkpoints."""

    path: Path
    checkpoints: tuple[str, ...]
    """'last' and 'best' and 'int8' where they are there, then those by step."""
    default: str = ""
    """Its checkpoint that answers where no run is named; '' for every other run."""


def first_checkpoint(entry: Entry, live_run: Path | None) -> str:
    """What is asked when nobody said which: the running training itself, else the newest checkpoint."""
    if entry.path == live_run:
        return LIVE
    if entry.default:
        return entry.default
    return entry.checkpoints[0] if entry.checkpoints else "last"


class Engine(Protocol):
    """What the answering thread needs. Tests put a made-up one in its place."""

    def runs(self, folder: Path) -> list[Entry]:
        """What there is to ask, the newest run first. Called in a thread of its own."""

    def mark(self, choice: Choice) -> Hashable | None:
        """Something that changes whenever ``load`` would give other weights; None: never the same twice."""

    def load(self, choice: Choice) -> Voice:
        """Raises ``UserError`` for what the user can put right."""

    def ask(self, voice: Voice, question: Question) -> Iterator[Piece | Ending]:
        """The tokens as they come, the ``Ending`` last. Closing the iterator stops it."""


class ModelEngine:
    """Answers with real models.

    ``live_model`` gives a copy of the weights of the running training; ``is_training`` says whether one runs:
    then a single thread of the processor must do for an answer, the others learn.
    """

    def __init__(self, live_model: Callable[[], LoadedModel], is_training: Callable[[], bool]) -> None:
        self._live_model = live_model
        self._is_training = is_training
        self.sampling_of: Callable[[Config], SamplingConfig] = lambda config: config.sampling
        """How a model answers unless a question says otherwise; may raise ``ConfigError``."""

    def runs(self, folder: Path) -> list[Entry]:
        from core.default import read_default
        from core.errors import RunError
        from core.runs import list_runs

        try:
            default = read_default(folder)
        except RunError:  # damaged: the newest run answers, and ``gpt-tui ask`` says what is wrong
            default = None
        return [
            Entry(
                run.path,
                self._checkpoints(run.checkpoints),
                default.checkpoint if default is not None and default.run == run.name else "",
            )
            for run in list_runs(folder)
        ]

    @staticmethod
    def _checkpoints(folder: Path) -> tuple[str, ...]:
        from core.checkpoint import step_checkpoints

        steps = [path.name for path in step_checkpoints(folder)]
        tags = [name for name in ("best", "int8") if (folder / name).is_dir()]
        return (*(["last"] if steps else []), *tags, *steps)

    def mark(self, choice: Choice) -> Hashable | None:
        if choice.live:
            return None
        folder = self._folder(choice, verify=False)
        stat = (folder / "manifest.json").stat()
        return str(folder), stat.st_mtime_ns, stat.st_size

    def load(self, choice: Choice) -> Voice:
        from core.quantize import Int8Embedding
        from core.runs import load_model
        from core.skeleton import count_parameters

        with self._threads():
            loaded = self._live_model() if choice.live else load_model(self._folder(choice, verify=True))
        facts = Facts(
            loaded.step,
            "int8" if isinstance(loaded.model.embed, Int8Embedding) else "fp32",
            sum(count_parameters(loaded.model.config, loaded.model.vocab_size).values()),
            0 if choice.live else loaded.bytes,
        )
        config = loaded.config.model_copy(update={"sampling": self.sampling_of(loaded.config)})
        return Voice(replace(loaded, config=config), config, facts)

    def ask(self, voice: Voice, question: Question) -> Iterator[Piece | Ending]:
        from core.generate import Token, generate

        loaded: LoadedModel = voice.model
        items = generate(
            loaded, question.text, question.sampling,
            history=question.history, seed=question.seed, top=question.alternatives,
        )  # fmt: skip
        with self._threads():
            for item in items:
                if isinstance(item, Token):
                    raw = loaded.tokenizer.token_bytes(item.id) if item.id >= 0 and "\ufffd" in item.text else b""
                    yield Piece(item.text, item.shown, item.p, item.top, raw)
                else:
                    yield Ending(
                        item.text, item.stop_reason, item.stop,
                        item.tokens, item.tokens_per_second, item.prefill_seconds, item.cut_tokens,
                    )  # fmt: skip

    def _threads(self) -> AbstractContextManager[None]:
        """All that the process may use, or one beside a training; none stays when the answer is over, or a training
        that begins later would take a third longer."""
        from core.threads import borrowed_threads

        return borrowed_threads(1 if self._is_training() else None)

    @staticmethod
    def _folder(choice: Choice, *, verify: bool) -> Path:
        """The checkpoint's folder. Verifying reads every byte of it, so it is left out where only a look is meant."""
        from core import checkpoint
        from core.errors import CheckpointError, RunError

        if choice.run is None:
            return checkpoint.resolve(Path(choice.checkpoint).parent, choice.checkpoint)
        folder = choice.run / "checkpoints"
        if not choice.run.is_dir():
            raise RunError("{run}: this run is gone", run=str(choice.run))
        if choice.checkpoint == "last" and not verify:
            there = checkpoint.step_checkpoints(folder)
            if not there:
                raise CheckpointError("{path}: no checkpoint yet", path=str(folder))
            return there[0]
        return checkpoint.resolve(folder, choice.checkpoint)
