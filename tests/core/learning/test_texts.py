"""Plain text: windows that never overlap between training and validation, epochs, and samples on the way."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from core.dataset import Dataset
from core.doctor import load_corpus
from core.events import Eval, Sample, Saved, Started, Step, Verified

if TYPE_CHECKING:
    from .conftest import Lab

TEXT = "".join(f"第{i}天，船从灯湾出发，走了{i * 7 % 13}里。On day {i} the boat left the bay.\n" for i in range(120))
SETTINGS = {
    "data.valid": None, "data.valid_fraction": 0.2, "data.template": "plain", "data.start_context": "第3天，",
    "model.seq_len": 32, "sampling.max_new_tokens": 12, "sampling.stop": [], "sampling.trim_leading": False,
    "training.max_epochs": 2.0, "training.max_steps": None,
}  # fmt: skip


@pytest.fixture
def settings(lab: Lab) -> dict[str, Any]:
    path = lab.folder / "bay.txt"
    path.write_text(TEXT, encoding="utf-8")
    return {**SETTINGS, "data.train": str(path)}


def windows(dataset: Dataset) -> list[list[int]]:
    rows = zip(dataset.starts.tolist(), dataset.lengths.tolist(), strict=True)
    return [dataset.tokens[start : start + length].tolist() for start, length in rows]


def test_validation_is_the_end_of_the_text_and_nothing_of_it_is_trained_on(lab: Lab, settings: dict[str, Any]) -> None:
    corpus = load_corpus(lab.config(settings))
    (train,), (valid,) = corpus.train, corpus.valid
    assert train.text + valid.text == TEXT
    assert len(valid.text) == pytest.approx(0.2 * len(TEXT), abs=1)


@pytest.mark.parametrize("stride", [None, 8, 16, 32])
def test_windows_cover_their_part_and_never_reach_into_the_other(
    lab: Lab, settings: dict[str, Any], stride: int | None
) -> None:
    prepared = lab.prepared(settings | {"data.stride": stride})
    assert prepared.valid is not None
    decode = prepared.tokenizer.decode
    cut = int(len(TEXT) * 0.8)
    for dataset, part in ((prepared.train, TEXT[:cut]), (prepared.valid, TEXT[cut:])):
        rows = windows(dataset)
        assert decode(dataset.tokens) == part
        assert all(decode(row).strip("\ufffd") in part for row in rows)
        covered = {int(start) + i for start, row in zip(dataset.starts, rows, strict=True) for i in range(len(row))}
        assert covered == set(range(len(dataset.tokens)))
        assert max(map(len, rows)) == 33
    steps = {b - a for a, b in zip(prepared.train.starts[:-1], prepared.train.starts[1:], strict=True)}
    assert steps == {stride or 32}
    assert decode(windows(prepared.train)[-1]).strip("\ufffd") not in TEXT[cut:]


def test_the_vocabulary_is_learnt_from_the_training_part_alone(lab: Lab, settings: dict[str, Any]) -> None:
    prepared = lab.prepared(settings | {"tokenizer.kind": "char"})
    assert "一" not in TEXT
    path = lab.folder / "bay.txt"
    path.write_text(TEXT + "一二三", encoding="utf-8")
    again = lab.prepared(settings | {"tokenizer.kind": "char"})
    assert again.tokenizer.vocab_size == prepared.tokenizer.vocab_size


def test_a_sample_after_each_epoch(lab: Lab, settings: dict[str, Any]) -> None:
    events = lab.train(settings)
    samples = lab.of(Sample, events)
    total = lab.of(Started, events)[0].total_steps
    assert [(s.step, s.epoch) for s in samples] == [(math.ceil(total / 2), 1), (total, 2)]
    assert all(s.prompt == "第3天，" and s.text for s in samples)
    assert lab.of(Step, events)[-1].epoch == pytest.approx(2.0)
    assert [event for event in lab.run().read_metrics() if isinstance(event, Sample)] == samples
    assert not lab.of(Verified, events)


def test_the_same_seed_writes_the_same_samples_also_after_a_resume(lab: Lab, settings: dict[str, Any]) -> None:
    warm = settings | {"sampling.temperature": 1.0, "training.save_interval": 5, "training.max_epochs": 3.0}
    whole = lab.of(Sample, lab.train(warm, "whole"))
    lab.cut_short(warm, "cut", lambda event: isinstance(event, Saved) and event.tag == "last")
    lab.resume("cut")
    assert [e for e in lab.run("cut").read_metrics() if isinstance(e, Sample)] == whole
    assert len({sample.text for sample in whole}) > 1


def test_without_a_start_context_there_is_none(lab: Lab, settings: dict[str, Any]) -> None:
    assert not lab.of(Sample, lab.train(settings | {"data.start_context": None}))


def test_an_unfinished_epoch_ends_with_a_sample_too(lab: Lab, settings: dict[str, Any]) -> None:
    events = lab.train(settings | {"training.max_epochs": None, "training.max_steps": 3})
    assert [(s.step, s.epoch) for s in lab.of(Sample, events)] == [(3, 0)]


def test_evaluations_of_a_few_batches_are_of_all_lengths(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.evaluate.EVAL_TOKENS", 60)
    rows = [(f"{i}？", "很" * (1 + i) + "好。") for i in range(24)]
    lab.write("valid.jsonl", rows)
    full = lab.of(Eval, lab.train({"training.max_steps": 2}, "full"))[-1].loss
    some = lab.of(Eval, lab.train({"training.max_steps": 2, "training.eval_batches": 8}, "some"))[-1].loss
    assert some != full
    assert some == pytest.approx(full, rel=0.1)
