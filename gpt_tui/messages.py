"""What the parts of the app tell each other. The app carries them out; a pane only posts them.

``OpenInChat``, ``TrainingStarted`` and ``TrainingEnded`` are passed on to the panes they concern, which may handle
them as ``on_open_in_chat`` and so on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from textual.message import Message


@dataclass
class ConfigEdited(Message):
    """``desk.config`` is another one now."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, ConfigEdited)


@dataclass
class OpenInChat(Message):
    """Ask this run in the Chat tab; '' for the newest checkpoint."""

    run_path: Path
    checkpoint: str = ""


@dataclass
class WatchRun(Message):
    """Show a run that another process trains (or that has ended) in the Train tab; None to stop that."""

    run_path: Path | None


@dataclass
class StartTraining(Message):
    """Train with ``desk.config``; or go on with a run that was stopped."""

    resume: Path | None = None


@dataclass
class TrainingStarted(Message, bubble=False):
    """A training has begun; the app posts it to every pane."""

    run_path: Path


@dataclass
class TrainingEnded(Message, bubble=False):
    """The thread of a training has ended; the app posts it to every pane."""

    run_path: Path
