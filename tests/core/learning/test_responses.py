"""The test rows: kept out of everything, answered at the end, written beside what was expected."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from core.events import Eval, Notice, Responses, from_json
from core.records import find_data, read_records
from core.responses import FILE

if TYPE_CHECKING:
    from .conftest import Lab

ROWS = list(read_records(find_data("instructions/bilingual.jsonl")))[90:130]
TEST: dict[str, Any] = {
    "data.valid": None, "data.valid_fraction": 0.1, "data.test_fraction": 0.2, "data.template": "alpaca",
    "model.seq_len": 256, "sampling.max_new_tokens": 4, "training.max_steps": 2, "training.eval_interval": 1,
}  # fmt: skip


@pytest.fixture
def alpaca(lab: Lab) -> Lab:
    rows = [
        {"instruction": turn.prompt, "input": turn.context, "output": turn.completion}
        for turn in (record.turns[0] for record in ROWS)
    ]
    path = lab.folder / "train.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return lab


def test_the_test_rows_are_answered_beside_what_was_expected(alpaca: Lab) -> None:
    events = alpaca.train(TEST)
    run = alpaca.run()
    found = json.loads((run.path / FILE).read_text("utf-8"))
    prepared = alpaca.prepared(TEST)
    asked = [(r.turns[0].prompt, r.turns[0].context, r.completion) for r in prepared.test_records]
    assert [(row["instruction"], row["input"], row["expected"]) for row in found] == asked
    assert len(found) == 8
    assert all(set(row) == {"instruction", "input", "expected", "response", "verdict"} for row in found)
    report = run.report() or {}
    (said,) = alpaca.of(Responses, events)
    assert (said.path, said.rows, said.exact) == (str(run.path / FILE), 8, report["test"]["exact"])
    assert report["test"]["responses"] == FILE
    assert report["test"]["loss"] == said.loss
    assert 3 < said.loss < 8  # about ln 300, after two steps
    assert report["data"]["test_rows"] == 8
    assert from_json(said.to_json()) == said
    assert alpaca.of(Eval, events)


def test_each_answer_stands_with_its_own_question(alpaca: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions are asked by length, not in the order of the file."""
    monkeypatch.setattr(
        "core.evaluate.answer_batch",
        lambda _model, tokenizer, prompts, _sampling: (
            (i, tokenizer.decode(prompts[i])) for i in reversed(range(len(prompts)))
        ),
    )
    alpaca.train({**TEST, "model.seq_len": 1024})
    for row in json.loads((alpaca.run().path / FILE).read_text("utf-8")):
        assert row["instruction"] in row["response"]
        assert row["input"] in row["response"]
        assert row["expected"] not in row["response"].partition("### Response:")[2]


def test_without_a_test_part_there_is_no_file(lab: Lab) -> None:
    events = lab.train({"training.max_steps": 1})
    assert not lab.of(Responses, events)
    assert not (lab.run().path / FILE).exists()
    assert "test" not in (lab.run().report() or {})


def test_a_full_disk_is_told(alpaca: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("core.responses.write_json", full)
    events = alpaca.train({**TEST, "training.max_steps": 1})
    assert "responses.json: cannot be written: No space left on device" in alpaca.of(Notice, events)[-1].text
    assert not alpaca.of(Responses, events)
    assert "test" not in (alpaca.run().report() or {})
