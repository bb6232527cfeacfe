"""A recipe that names a made corpus trains in one go, with unseen values reported apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.events import Progress, Started, State, Verified

if TYPE_CHECKING:
    from .conftest import Lab

READER: dict[str, Any] = {
    "data.train": "reader/train.jsonl", "data.valid": "reader/valid.jsonl",
    "data.valid_unseen": "reader/valid_unseen.jsonl", "data.corpus_rows": 40, "data.corpus_valid": 12,
    "data.verify_rows": 9, "model.seq_len": 256, "tokenizer.vocab_size": 400, "training.max_steps": 2,
    "sampling.max_new_tokens": 3,
}  # fmt: skip


def made_of(lab: Lab, events: list[Any]) -> list[Progress]:
    return [event for event in lab.of(Progress, events) if event.task == "making_corpus"]


def test_the_corpus_is_made_beside_the_runs_and_used_again(lab: Lab) -> None:
    events = lab.train(READER, "first")
    assert [e.state for e in lab.of(State, events)][:3] == ["preparing", "making_corpus", "tokenizing"]
    assert made_of(lab, events)
    (folder,) = (lab.folder / ".corpora").iterdir()
    assert folder.name.startswith("reader-40-12-123-")
    again = lab.train(READER, "second")
    assert not made_of(lab, again)
    assert lab.trace("first") == lab.trace("second")


def test_the_settings_stay_those_of_the_recipe(lab: Lab) -> None:
    lab.train(READER)
    assert lab.run().config().data.train == "reader/train.jsonl"
    assert lab.run().load().config.data.valid_unseen == "reader/valid_unseen.jsonl"


def test_each_part_is_reported_apart_and_by_kind(lab: Lab) -> None:
    events = lab.train(READER)
    (verified,) = lab.of(Verified, events)
    assert list(verified.parts) == ["valid", "valid_unseen", "train"]
    for part in verified.parts.values():
        assert part["total"] == 9
        assert sum(kind["total"] for kind in part["by_kind"].values()) == 9
    report = lab.run().report()
    assert report is not None
    assert report["exact"] == verified.parts
    data = lab.of(Started, events)[0].data
    assert (data["train_used"], data["valid_used"], data["valid_unseen_used"]) == (40, 12, 12)
    assert set(data["sha256"]) == {"train.jsonl", "valid/valid.jsonl", "valid_unseen/valid_unseen.jsonl"}


def test_a_resume_makes_the_corpus_anew_if_it_is_gone(lab: Lab) -> None:
    settings = READER | {"training.save_interval": 1, "training.max_steps": 4}
    lab.train(settings, "whole")
    lab.cut_short(settings, "cut", lambda event: event.kind == "checkpoint")
    for file in (lab.folder / ".corpora").glob("*/*"):
        file.unlink()
    assert lab.of(Progress, lab.resume("cut"))
    assert lab.trace("cut") == lab.trace("whole")


def test_unseen_rows_that_are_trained_on_are_dropped(lab: Lab) -> None:
    path = lab.write(
        "unseen.jsonl", [lab.TRAIN[0], ("什么是港口？", "船停靠的地方。"), ("什么是港口？", "船停靠的地方。")]
    )
    prepared = lab.prepared({"data.valid_unseen": str(path)})
    assert [record.prompt for record in prepared.unseen_records] == ["什么是港口？"]
    assert prepared.report["valid_unseen_rows"] == 3
    assert prepared.report["valid_unseen_used"] == 1
    assert prepared.report["leaks"] == 1
    kept = lab.prepared({"data.valid_unseen": str(path), "data.leaks": "keep", "data.duplicates": "keep"})
    assert len(kept.unseen_records) == 3


def test_a_vocabulary_of_a_large_corpus_is_learnt_from_a_sample(lab: Lab, monkeypatch: Any) -> None:
    whole = lab.prepared().tokenizer.to_json()
    monkeypatch.setattr("core.prepare.VOCABULARY_CHARACTERS", 100)
    assert lab.prepared().tokenizer.to_json() != whole
