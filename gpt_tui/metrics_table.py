"""A run's ``metrics.jsonl`` as a table for spreadsheets and notebooks."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable

from core.events import Eval, Event, Step, goes_back_to

#: Column, and the field of ``Step`` it holds.
STEP_COLUMNS = {
    "epoch": "epoch", "tokens": "tokens", "loss": "loss", "lr": "lr", "grad_norm": "grad_norm",
    "tokens_per_second": "tokens_per_second", "elapsed_seconds": "elapsed",
}  # fmt: skip
COLUMNS = ("step", *STEP_COLUMNS, "eval_loss", "best_eval_loss")


def measured(events: Iterable[Event]) -> list[dict[str, int | float | None]]:
    """What is known of each step at which something was logged or evaluated, in order, by column. Of a step that was
    taken twice, the last account counts; None: no finite number."""
    rows: dict[int, dict[str, int | float | None]] = {}
    for event in events:
        if isinstance(event, Step):
            values = {column: getattr(event, name) for column, name in STEP_COLUMNS.items()}
        elif isinstance(event, Eval):
            values = {"eval_loss": event.loss, "best_eval_loss": event.best}
        else:
            last = goes_back_to(event)
            if last is not None:
                rows = {step: row for step, row in rows.items() if step <= last}
            continue
        row = rows.setdefault(event.step, {"step": event.step})
        row.update({column: _number(value) for column, value in values.items()})
    return [rows[step] for step in sorted(rows)]


def as_csv(events: Iterable[Event]) -> str:
    """``measured`` with a header, each number with all its digits, so that reading it back gives the same."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(measured(events))
    return text.getvalue()


def _number(value: object) -> int | float | None:
    """A number as it is; nothing for anything else that the file may hold."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if type(value) is int and abs(value) < 2**63 else None
