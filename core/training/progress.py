"""Where a training stands: all that a checkpoint remembers of it besides weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import CheckpointError


@dataclass
class Progress:
    """Everything, besides weights, that a resumed run needs to go on identically."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    """Next batch of the epoch."""
    tokens: int = 0
    elapsed: float = 0.0
    """Seconds of training, pauses not counted."""
    best_loss: float | None = None
    best_step: int = 0
    evals_without_gain: int = 0
    last_eval: float | None = None
    evaluated: int = -1
    """The step of the last evaluation."""
    lr_scale: float = 1.0
    rollbacks: int = 0
    skipped: int = 0
    skipped_in_a_row: int = 0
    usual_norm: float = 0.0
    """Running mean of gradient lengths."""
    micro_batch: int | None = None
    """Rows computed at once, where the memory did not suffice for as many as the settings say."""
    # sums over the running log interval, so that its line is the same after a resume
    loss_sum: float = 0.0
    loss_tokens: int = 0
    last_loss: float | None = None
    probes: list[dict[str, Any]] = field(default_factory=list)

    def next_batch(self, per_epoch: int) -> None:
        """On to the next batch, the first one of the next epoch after the last."""
        self.batch += 1
        if self.batch >= per_epoch:
            self.next_epoch()

    def next_epoch(self) -> None:
        self.epoch, self.batch = self.epoch + 1, 0

    def train_loss(self) -> float | None:
        """The loss of the last log interval or, of a run shorter than one, of all its steps."""
        if self.last_loss is None and self.loss_tokens:
            return self.loss_sum / self.loss_tokens
        return self.last_loss

    @classmethod
    def from_state(cls, values: Any, folder: Path) -> Progress:
        """Out of ``state.json``; what it lacks is as at the beginning. Raises ``CheckpointError`` for what no training
        has saved: a checkpoint may come from a stranger."""
        found: dict[str, Any] = {}
        for name, known in cls.__dataclass_fields__.items():
            value = values.get(name) if isinstance(values, dict) else values
            if value is None:
                continue
            kinds = _KINDS[str(known.type).removesuffix(" | None")]
            if type(value) not in kinds or (list not in kinds and not -1 <= value < 1e18):
                raise CheckpointError("{path}: does not fit: {reason}", path=str(folder), reason=name)
            found[name] = value
        return cls(**found)


_KINDS: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "list[dict[str, Any]]": (list,)}
