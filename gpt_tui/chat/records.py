"""The small records that asking consists of. Nothing here needs torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.config import Config
from core.records import Turn
from core.schema import SamplingConfig

from ..i18n import _

LIVE = "live"
"""The checkpoint that is none: the weights of the running training as they are now."""


@dataclass(frozen=True)
class Choice:
    """Which model to ask: a run and one of its checkpoints ('live', 'last', 'best', 'int8', a name or a path)."""

    run: Path | None
    checkpoint: str = "last"

    @property
    def live(self) -> bool:
        return self.checkpoint == LIVE

    @property
    def run_name(self) -> str:
        return self.run.name if self.run is not None else ""

    @property
    def name(self) -> str:
        """As a heading: ``teacher-1 · best``."""
        checkpoint = checkpoint_label(self.checkpoint)
        return f"{self.run_name} · {checkpoint}" if self.run is not None else checkpoint


def checkpoint_label(checkpoint: str) -> str:
    """A checkpoint in the chosen language; a path by its last part. Not yet safe to show."""
    known = {LIVE: _("live"), "last": _("last"), "best": _("best")}
    return known.get(checkpoint) or Path(checkpoint).name or checkpoint


def choice_of_path(text: str) -> Choice:
    """What a typed path means: a run, a checkpoint in a run, or a checkpoint somewhere else."""
    path = Path(text.strip()).expanduser().absolute()
    if (path / "config.yaml").is_file():
        return Choice(path)
    run = path.parent.parent
    return Choice(run if (run / "config.yaml").is_file() else None, str(path))


@dataclass(frozen=True)
class Piece:
    """One generated token."""

    text: str
    """The token itself; half a character shows as U+FFFD."""
    shown: str
    """What it adds to the visible answer."""
    p: float
    """Its probability by the model, before temperature and filters."""
    top: tuple[tuple[str, float], ...] = ()
    """The likeliest alternatives with their probabilities."""
    raw: bytes = b""
    """Its bytes, where they are not whole characters."""


@dataclass(frozen=True)
class Ending:
    """The end of an answer."""

    text: str
    reason: str
    """'end' (end token), 'stop' (stop string), 'length' (limit reached), 'user' (stopped by hand)"""
    stop: str = ""
    """The stop string that matched."""
    tokens: int = 0
    rate: float = 0.0
    """Tokens per second after the first one; 0: too short to tell."""
    first: float = 0.0
    """Seconds until the first token."""
    cut: int = 0
    """Tokens of the question's beginning that did not fit and were not read."""


@dataclass(frozen=True)
class Facts:
    """What a person wants to know about a loaded model."""

    step: int = 0
    number_format: str = "fp32"
    parameters: int = 0
    bytes: int = 0
    """Size of the weights on disk; 0 for live weights, which lie on none."""


@dataclass(frozen=True)
class Voice:
    """A model ready to answer."""

    model: Any
    """What the engine asks with; nobody else looks inside."""
    config: Config
    facts: Facts = Facts()


@dataclass(frozen=True)
class Question:
    """Everything that decides an answer, besides the model."""

    text: str
    sampling: SamplingConfig | None = None
    """None: as the run has it."""
    history: tuple[Turn, ...] = ()
    seed: int | None = None
    alternatives: int = 10
