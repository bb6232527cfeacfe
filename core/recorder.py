"""Writing a run's events to ``metrics.jsonl``, one line each, as they happen."""

from __future__ import annotations

import contextlib
import json
from types import TracebackType

from .events import Event, Finished
from .runs import MAX_METRIC_LINE, Run
from .storage import atomic_file


class Recorder:
    """Appends events; a full disk stops the record, not the training."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._file = open(run.metrics, "ab")  # noqa: SIM115 - closed in __exit__
        if self._file.tell() and not _ends_with_newline(run):
            self._file.write(b"\n")  # a killed process may have left half a line

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # close() tries once more to write what did not fit on the disk
            self._file.close()

    def write(self, event: Event) -> None:
        line = json.dumps(event.to_json(), ensure_ascii=False, allow_nan=False) + "\n"
        with contextlib.suppress(OSError):
            # A path may hold bytes that are no UTF-8, which Python has as surrogates; \udcb5 is JSON as well.
            self._file.write(line.encode("utf-8", "backslashreplace"))
            self._file.flush()  # a watcher reads along; the disk may take its time

    def forget_after(self, step: int) -> None:
        """Before a resume from ``step``: drop later events, which are going to happen again."""
        self._file.close()
        kept: list[bytes] = []
        with open(self._run.metrics, "rb") as file:
            while line := file.readline(MAX_METRIC_LINE):
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if not isinstance(value, dict) or value.get("kind") == Finished.kind:
                    continue
                at = value.get("step", 0)
                if isinstance(at, int) and at <= step:
                    kept.append(line.rstrip(b"\n") + b"\n")
        with atomic_file(self._run.metrics) as out:
            out.writelines(kept)
        self._file = open(self._run.metrics, "ab")  # noqa: SIM115


def _ends_with_newline(run: Run) -> bool:
    with open(run.metrics, "rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"
