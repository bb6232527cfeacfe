"""Writing a run's events to ``metrics.jsonl``, one line each, as they happen."""

from __future__ import annotations

import json
from types import TracebackType

from .events import Event, Finished
from .runs import Run, metric_lines, parsed_line
from .storage import LineFile


class Recorder:
    """Appends events. Those that a full disk does not take wait; whoever trains looks at ``problem`` and waits too."""

    def __init__(self, run: Run) -> None:
        self._lines = LineFile(run.metrics)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()

    @property
    def problem(self) -> OSError | None:
        """Why some events are not in the file yet."""
        return self._lines.problem

    def write(self, event: Event) -> None:
        """A line at once: a watcher reads along; the disk may take its time."""
        line = json.dumps(event.to_json(), ensure_ascii=False, allow_nan=False) + "\n"
        # A path may hold bytes that are no UTF-8, which Python has as surrogates; \udcb5 is JSON as well.
        self._lines.write(line.encode("utf-8", "backslashreplace"))

    def write_waiting(self) -> None:
        """Write what did not fit before. Raises ``OSError`` while there is no room."""
        self._lines.write_waiting()

    def forget_after(self, step: int) -> None:
        """Before a resume from ``step``: drop later events, which are going to happen again.

        Raises ``OSError``; the file is then as it was.
        """
        kept: list[bytes] = []
        for _, line in metric_lines(self._lines.path):
            value = parsed_line(line)
            if value is None or value.get("kind") == Finished.kind:
                continue
            at = value.get("step", 0)
            if isinstance(at, int) and at <= step:
                kept.append(line.rstrip(b"\n") + b"\n")
        self._lines.replace(kept)
