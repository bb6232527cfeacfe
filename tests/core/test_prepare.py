"""From settings to token rows, and everything worth telling on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.config import Config
from core.control import Stopped
from core.errors import ConfigError, DataError
from core.events import Event, Notice, Progress, State
from core.prepare import make_tokenizer, prepare, tokenizer_texts
from core.records import Record, Turn
from core.template import TEMPLATES
from core.tokenizer import Tokenizer

from .drained import drained

WriteRows = Callable[..., Path]
TRAIN = [{"prompt": f"问题{i}是什么？", "completion": f"答案{i}。"} for i in range(20)]
LONG = "".join(chr(0x4E00 + 97 * i) for i in range(60))  # no pair of bytes twice: nothing to merge
VALID = [{"prompt": f"请问问题{i}？", "completion": f"答案{i}。"} for i in range(5)]


@pytest.fixture
def config(write_rows: WriteRows) -> Callable[..., Config]:
    """A function that makes the settings for two small files."""

    def make(changes: dict[str, Any] | None = None, train: Any = TRAIN, valid: Any = VALID) -> Config:
        paths = {"data.train": str(write_rows(train, "train.jsonl")), "data.valid": None}
        if valid is not None:
            paths["data.valid"] = str(write_rows(valid, "valid.jsonl"))
        return Config().update({**paths, "tokenizer.vocab_size": 270, "model.seq_len": 64, **(changes or {})})

    return make


def notices(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]


def test_a_clean_corpus_is_prepared_without_a_word(config: Callable[..., Config]) -> None:
    events, prepared = drained(prepare(config()))
    assert events == [State("preparing"), Progress("reading", 0, 0), State("tokenizing")]
    assert (len(prepared.train), len(prepared.train_records)) == (20, 20)
    assert prepared.valid is not None
    assert (len(prepared.valid), len(prepared.valid_records)) == (5, 5)
    assert prepared.template is TEMPLATES["teacher"]
    assert prepared.tokenizer.vocab_size == 270


def test_of_a_large_corpus_it_is_told_how_far_it_has_come(
    config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, at_once = drained(prepare(config()))
    monkeypatch.setattr("core.prepare.TOLD_EVERY", 8)
    monkeypatch.setattr("core.prepare.CHUNK", 4)
    events, prepared = drained(prepare(config()))
    assert [event for event in events if isinstance(event, Progress)][1:] == [
        Progress("encoding", done, 20) for done in (8, 16)
    ]
    assert prepared.train.tokens.tolist() == at_once.train.tokens.tolist()
    assert prepared.train.starts.tolist() == at_once.train.starts.tolist()


def test_who_prepares_asks_now_and_then_whether_to_go_on(
    config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.doctor.LOOK_EVERY", 5)
    looks: list[int] = []
    drained(prepare(config(), look=lambda: looks.append(1)))
    assert len(looks) >= 4 + 2 + 2, "every five of twenty rows, after reading, at every event"

    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        drained(prepare(config(), look=stop))


def test_the_report_says_what_the_data_is(config: Callable[..., Config]) -> None:
    _, prepared = drained(prepare(config()))
    report = prepared.report
    assert (report["train_file"], report["valid_file"], report["vocab_size"]) == ("train.jsonl", "valid.jsonl", 270)
    assert (report["train_rows"], report["leaks"]) == (20, 0)
    assert set(report["sha256"]) == {"train.jsonl", "valid/valid.jsonl"}
    assert report["train"]["rows"] == 20
    assert report["valid"]["supervised_tokens"] == prepared.valid.supervised_tokens  # type: ignore[union-attr]


def test_preparing_twice_gives_the_same(config: Callable[..., Config]) -> None:
    first, second = (drained(prepare(config()))[1] for _ in range(2))
    assert first.tokenizer.to_json() == second.tokenizer.to_json()
    assert first.train.tokens.tolist() == second.train.tokens.tolist()
    assert first.report == second.report


def test_a_small_vocabulary_is_said(config: Callable[..., Config]) -> None:
    events, prepared = drained(prepare(config({"tokenizer.vocab_size": 2000})))
    size = prepared.tokenizer.vocab_size
    assert notices(events) == [
        f"the vocabulary has {size} tokens, not the 2000 asked for: the text has no more pairs to merge"
    ]


def test_duplicates_and_leaks_are_said(config: Callable[..., Config]) -> None:
    events, prepared = drained(prepare(config(train=TRAIN * 2, valid=VALID + TRAIN[:3])))
    assert notices(events) == [
        "20 of 40 training rows stand there more than once (data.duplicates: drop)",
        "3 validation rows are also trained on (data.leaks: drop)",
    ]
    assert len(prepared.valid_records) == 5
    events, _ = drained(prepare(config({"data.leaks": "keep"}, valid=TRAIN[:3])))
    (leak,) = [event for event in events if isinstance(event, Notice)]
    assert leak.level == "warning"


def test_cut_and_lost_rows_are_said(config: Callable[..., Config]) -> None:
    """Fault 11: a byte fallback that silently leaves nothing to learn."""
    long = [{"prompt": LONG, "completion": "短"}, {"prompt": "问", "completion": LONG}]
    events, prepared = drained(prepare(config(train=[*TRAIN, *long])))
    lost, cut = notices(events)
    assert lost.startswith("train: 1 rows left out, their answers are longer than model.seq_len (")
    assert "train.jsonl:22" in lost
    assert cut == f"train: 1 questions were too long, their oldest {prepared.train.stats.cut_tokens} tokens were cut"


def test_a_corpus_of_lost_rows_is_refused(config: Callable[..., Config]) -> None:
    with pytest.raises(DataError, match="no answer is left to learn from"):
        drained(prepare(config({"model.seq_len": 8}, train=[{"prompt": "问", "completion": LONG}])))


@pytest.mark.parametrize("valid", [[], TRAIN[:2]], ids=["empty", "all leaked"])
def test_without_validation_rows_there_is_no_best(config: Callable[..., Config], valid: list[Any]) -> None:
    events, prepared = drained(prepare(config(valid=valid)))
    assert prepared.valid is None
    assert "valid" not in prepared.report
    assert notices(events)[-1] == "no validation rows: the best checkpoint cannot be told, only the last one"
    with pytest.raises(ConfigError, match=r"training\.early_stopping_patience needs validation data"):
        drained(prepare(config({"training.early_stopping_patience": 3}, valid=valid)))


def test_a_part_of_the_training_rows_serves_for_validation(config: Callable[..., Config]) -> None:
    _, prepared = drained(prepare(config(valid=None)))
    assert (len(prepared.train_records), len(prepared.valid_records)) == (18, 2)
    assert prepared.report["valid_file"] is None


def test_the_tokenizer_of_a_run_that_goes_on_is_kept(config: Callable[..., Config], bpe: Tokenizer) -> None:
    events, prepared = drained(prepare(config(), bpe))
    assert prepared.tokenizer is bpe
    assert State("tokenizing") not in events


def test_a_tokenizer_may_come_from_a_file(config: Callable[..., Config], bpe: Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(bpe.to_json(), encoding="utf-8")
    events, prepared = drained(prepare(config({"tokenizer.path": str(path), "tokenizer.vocab_size": 5000})))
    assert prepared.tokenizer.fingerprint() == bpe.fingerprint()
    assert notices(events) == []
    with pytest.raises(DataError, match="no such file"):
        drained(prepare(config({"tokenizer.path": str(tmp_path / "no.json")})))


def test_the_tokenizer_learns_from_the_training_rows_only(config: Callable[..., Config]) -> None:
    _, prepared = drained(prepare(config({"tokenizer.kind": "char"}, valid=[{"prompt": "鲸", "completion": "鲸"}])))
    (whale,) = prepared.tokenizer.encode("鲸")
    assert prepared.tokenizer.token_text(whale) == "<unk>"
    assert prepared.tokenizer.decode(prepared.tokenizer.encode("问题")) == "问题"


def test_the_tokenizer_sees_the_texts_as_the_model_does() -> None:
    record = Record(turns=(Turn(" 问 题?", "答"),))
    assert list(tokenizer_texts([record], TEMPLATES["teacher"])) == ["用户:问题？\n助手:", "答"]
    settings = Config().update({"tokenizer.vocab_size": 300, "tokenizer.max_token_length": 3})
    tokenizer = make_tokenizer(settings, [record] * 9)
    assert max(len(tokenizer.token_bytes(i)) for i in range(tokenizer.vocab_size)) == 3


@pytest.mark.parametrize("template", list(TEMPLATES))
def test_texts_are_prepared_too(config: Callable[..., Config], tmp_path: Path, template: str) -> None:
    path = tmp_path / "poem.txt"
    path.write_text("春眠不觉晓，处处闻啼鸟。\n" * 40, encoding="utf-8")
    changes = {"data.train": str(path), "data.template": template, "data.stride": 16, "model.seq_len": 32}
    _, prepared = drained(prepare(config(changes, valid=None)))
    assert prepared.valid is not None
    assert len(prepared.train) > len(prepared.valid) > 1
    assert prepared.train.starts[1] == 16
    assert prepared.valid.starts[1] == 32  # a validation token counts once
