"""A run's events once more as TensorBoard reads them, in ``<run>/tensorboard/``.

tensorboard is an extra and imported only here; its messages and record writer are used as they are, without
TensorFlow and without torch's own writer, which would bring a queue and a thread for a few records a second.
"""

from __future__ import annotations

import contextlib
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from .config import Config, to_yaml
from .errors import UserError
from .events import Eval, Event, Probe, Sample, Started, Step, Verified
from .storage import make_private_folder
from .text import without_surrogates

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

VERSION = "brain.Event:2"
"""The first record of every file: from this version on a later file may take back steps of an earlier one."""


def require_tensorboard() -> None:
    """Raises ``UserError`` where the extra is absent."""
    if find_spec("tensorboard") is None:
        raise UserError(
            "tensorboard is not installed; to have it: pip install tensorboard; to train without: "
            "--set training.tensorboard=false"
        )


class EventFiles:
    """Writes what can be drawn or read of each event; a full disk stops the record, not the training.

    Every beginning of the training opens a file of its own. A resumed one says from which step on it counts, so that
    TensorBoard drops what an interrupted training had written beyond its last checkpoint.
    """

    def __init__(self, folder: Path, config: Config) -> None:
        self._folder, self._config = folder, config
        self._writer: RecordWriter | None = None

    def __enter__(self) -> EventFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            with contextlib.suppress(OSError):
                self._writer.close()

    def write(self, event: Event) -> None:
        """One event; nothing where the settings do not ask for these files."""
        if not self._config.training.tensorboard:
            return
        with contextlib.suppress(OSError):
            if isinstance(event, Started):
                self._open(event.resumed_step)
            elif self._writer is not None:
                values = self._values(event)
                if values:
                    self._add(getattr(event, "step", 0), values)

    def _open(self, resumed: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event as Record
        from tensorboard.compat.proto.event_pb2 import SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        make_private_folder(self._folder)
        number = sum(1 for _ in self._folder.iterdir())  # files are read in the order of their names
        name = f"events.out.tfevents.{int(time.time()):010d}.{number:04d}"
        writer = self._writer = RecordWriter(open(self._folder / name, "xb"))  # noqa: SIM115 - closed in __exit__
        first = resumed + 1 if resumed else 0
        for record in (
            Record(wall_time=time.time(), step=first, file_version=VERSION),
            Record(wall_time=time.time(), step=first, session_log=SessionLog(status=SessionLog.START)),
        ):
            writer.write(record.SerializeToString())
        settings = "".join(f"    {line}\n" for line in to_yaml(self._config.to_dict()).splitlines())
        self._add(resumed, [_text("settings", settings)])  # indented: code, in Markdown

    def _add(self, step: int, values: list[Summary.Value]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event as Record
        from tensorboard.compat.proto.summary_pb2 import Summary

        assert self._writer is not None
        record = Record(wall_time=time.time(), step=step, summary=Summary(value=values))
        self._writer.write(record.SerializeToString())
        self._writer.flush()  # TensorBoard reads along

    def _values(self, event: Event) -> list[Summary.Value]:
        if isinstance(event, Step):
            numbers = {
                "loss/train": event.loss,
                "training/lr": event.lr,
                "training/grad_norm": event.grad_norm,
                "training/tokens_per_second": event.tokens_per_second,
            }
        elif isinstance(event, Eval):
            numbers = {"loss/valid": event.loss}
        elif isinstance(event, Verified):
            numbers = {f"exact/{name}": part["exact_rate"] for name, part in event.parts.items()}
        elif isinstance(event, Probe):
            mark = "✓" if event.exact else "✗" if event.expected else ""
            return [_text(f"probes/{event.prompt}", f"{mark} {event.answer}")]
        elif isinstance(event, Sample):
            return [_text("sample", f"**{event.prompt}**{event.text}")]
        else:
            return []
        return [_number(tag, value) for tag, value in numbers.items()]


def _number(tag: str, value: float) -> Summary.Value:
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Summary.Value(tag=tag, simple_value=value)


def _text(tag: str, text: str) -> Summary.Value:
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.types_pb2 import DT_STRING

    return Summary.Value(
        tag=without_surrogates(tag),
        metadata=SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text")),
        tensor=TensorProto(dtype=DT_STRING, string_val=[without_surrogates(text).encode()]),
    )
