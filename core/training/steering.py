"""What a person asks of a running training: to wait, to save, to change a setting."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import ConfigError
from ..events import Changed, Event, Notice, State
from ..settings import settings
from .saving import save
from .trainer import Trainer


def pause(trainer: Trainer) -> Iterator[Event]:
    """Wait until resumed or stopped; the time does not count."""
    control = trainer.control
    trainer.progress.elapsed += trainer.pace.lap()
    yield State("paused", trainer.progress.step)
    while control.paused and not control.stop:
        control.wait_while_paused(0.25)
        trainer.hand_out_copies()
        if control.save_now:
            control.save_now = False
            yield from save(trainer)
    yield State("training", trainer.progress.step)
    trainer.pace.lap()


def apply_updates(trainer: Trainer) -> Iterator[Event]:
    """New values of live settings; a bad one is told, not raised."""
    for key, value in trainer.control.take_updates().items():
        setting = settings().get(key)
        if setting is None or not setting.live:
            yield Notice("{key}: cannot change during a run", {"key": key}, level="warning")
            continue
        try:
            trainer.config = trainer.config.update({key: value})
        except ConfigError as problem:
            yield Notice("{problem}", {"problem": str(problem)}, level="warning")
            continue
        try:
            trainer.run.save_config(trainer.config)
        except OSError as problem:
            reason = problem.strerror or str(problem)
            yield Notice("config.yaml not written: {reason}", {"reason": reason}, level="warning")
        if key.startswith("training.max_"):
            trainer.pace.restart()
        yield Changed(trainer.progress.step, {key: value})
