"""What a tuned model answers to the rows that it was never shown, for a person to read beside the expected answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .dataset import build_dataset
from .evaluate import ask_in_order, evaluate_loss, questions_of, summary, told
from .events import Event, Notice, Responses, State
from .prepare import Prepared
from .runs import LoadedModel, Run
from .storage import write_json

FILE = "responses.json"


def write_responses(run: Run, loaded: LoadedModel, prepared: Prepared, report: dict[str, Any]) -> Iterator[Event]:
    """Answer the test rows, greedily, into ``responses.json`` of the run; nothing where there are none.

    Each entry has instruction, input, expected, response and the verdict on it. ``report["test"]`` gets the counts,
    and the loss on the expected answers, which says more than they where an answer has many right forms.
    """
    records = questions_of(prepared.test_records)
    if not records:
        return
    yield State("answering", loaded.step)
    config = loaded.config
    tokens = build_dataset(records, prepared.tokenizer, prepared.template, config.model.seq_len)
    loss = evaluate_loss(loaded.model, tokens, prepared.tokenizer.pad, "cpu") if len(tokens) else None
    asking = ask_in_order(loaded.model, prepared.tokenizer, prepared.template, config.sampling, records)
    graded = yield from told(asking, "answering", len(records), loaded.step)
    rows = [
        {
            "instruction": record.turns[-1].prompt,
            "input": record.turns[-1].context,
            "expected": record.completion,
            "response": item.answer,
            "verdict": item.verdict,
        }
        for record, item in zip(records, graded, strict=True)
    ]
    path = run.path / FILE
    try:
        write_json(path, rows)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        yield Notice("{path}: cannot be written: {reason}", {"path": str(path), "reason": reason}, level="warning")
        return
    counts = summary(graded)
    report["test"] = {"responses": FILE, "loss": loss, **counts}
    yield Responses(loaded.step, str(path), len(rows), counts["exact"], loss)
