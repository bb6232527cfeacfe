"""The training loop: its events, its lines, its data, and that it learns."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from core.batches import collate, epoch_order
from core.errors import ConfigError, DataError, RunError
from core.events import (
    Eval,
    Notice,
    Started,
    State,
    Step,
)  # fmt: skip

from .tricks import checksums

Lab = Any


def test_a_training_learns(lab: Lab) -> None:
    events = lab.train({"training.max_steps": 60, "training.lr": 1e-2, "training.eval_interval": 60})
    losses = [step.loss for step in lab.of(Step, events)]
    assert losses[0] == pytest.approx(math.log(300), abs=0.3)
    assert sum(losses[-3:]) / 3 < 0.6 * losses[0]


def test_the_learning_rate_of_a_step_is_that_of_the_schedule(lab: Lab) -> None:
    steps = lab.of(Step, lab.train({"training.max_steps": 20, "training.warmup_ratio": 0.25, "training.lr": 1e-3}))
    rates = [step.lr for step in steps]
    assert rates[:5] == pytest.approx([1e-4, 3e-4, 5e-4, 7e-4, 9e-4])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[-1] == pytest.approx(1e-5, rel=0.3)


def test_rows_of_exactly_the_longest_context_fit(lab: Lab) -> None:
    """45 is no multiple of the widths that batches are rounded up to."""
    for position in ("rope", "learned"):
        changes = {"model.seq_len": 45, "model.position": position, "training.max_steps": 3, "data.template": "plain"}
        long = [("问", "abcdefghij" * 9)]
        lab.write("train.jsonl", [*lab.TRAIN, *long])
        events = lab.train({**changes, "tokenizer.vocab_size": 260}, position)
        assert lab.of(Step, events)[-1].step == 3


# -- the line of a log interval ---------------------------------------------------------------------------


def test_a_line_is_the_mean_over_the_tokens_of_its_interval(lab: Lab) -> None:
    single = lab.of(Step, lab.train({"training.max_steps": 6, "training.log_interval": 1}, "one"))
    triple = lab.of(Step, lab.train({"training.max_steps": 6, "training.log_interval": 3}, "three"))
    assert [step.step for step in triple] == [3, 6]
    prepared, config = lab.prepared(), lab.config()
    counts = []
    for number in range(6):
        order = epoch_order(prepared.train.lengths, 4, config.training.seed, number // 3)
        counts.append(collate(prepared.train, order[number % 3], prepared.tokenizer.pad).supervised)
    assert len(set(counts[:3])) > 1
    for line, part in zip(triple, (slice(0, 3), slice(3, 6)), strict=True):
        steps, weights = single[part], counts[part]
        mean = sum(s.loss * n for s, n in zip(steps, weights, strict=True)) / sum(weights)
        assert line.loss == pytest.approx(mean, rel=1e-6)


def test_a_line_counts_epochs_tokens_and_progress(lab: Lab) -> None:
    steps = lab.of(Step, lab.train({"training.max_steps": 6}))
    assert [step.epoch for step in steps] == pytest.approx([1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2])
    prepared = lab.prepared()
    per_epoch = int(prepared.train.lengths.sum()) - len(prepared.train)
    assert (steps[2].tokens, steps[5].tokens) == (per_epoch, 2 * per_epoch)
    assert [step.progress for step in steps] == pytest.approx([i / 6 for i in range(1, 7)])
    assert [step.elapsed for step in steps] == sorted(step.elapsed for step in steps)
    assert all(step.tokens_per_second > 0 for step in steps)
    assert [step.eta is None for step in steps] == [True] * 5 + [False]  # the first steps would mislead
    assert steps[-1].eta == pytest.approx(0.0, abs=1e-6)


def test_a_short_run_has_a_loss_too(lab: Lab) -> None:
    """Fault 17: no run ends with an empty figure because its last interval was not full."""
    events = lab.train({"training.max_steps": 3, "training.log_interval": 10})
    assert events[-1].loss == pytest.approx(math.log(300), abs=0.3)
    report = lab.run().report()
    assert report["loss"] == events[-1].loss


# -- the same seed, the same run --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_a_training_is_a_function_of_its_seed(lab: Lab, dtype: str) -> None:
    changes = {"training.dtype": dtype, "model.dropout": 0.3, "training.eval_interval": 4}
    lab.train(changes, "first")
    # whoever else draws random numbers meanwhile cannot change it
    lab.train(changes, "second", on=lambda event: torch.rand(3))
    lab.train({**changes, "training.seed": 43}, "third")
    first, second, third = (lab.trace(name) for name in ("first", "second", "third"))
    assert first == second
    assert all(a != b for a, b in zip(first, third, strict=True))
    files = [lab.run(name).checkpoints / "step-00000008" / "model.safetensors" for name in ("first", "second")]
    assert files[0].read_bytes() == files[1].read_bytes()


# -- data -------------------------------------------------------------------------------------------------


def test_a_corpus_with_nothing_to_learn_is_refused(lab: Lab) -> None:
    """Fault 11: its loss would be NaN for an hour."""
    lab.write("train.jsonl", [(question, "".join(map(chr, range(0x4E00, 0x4E40)))) for question, _ in lab.TRAIN])
    events, error = lab.failing({"model.seq_len": 32})
    assert isinstance(error, DataError)
    assert "no answer is left to learn from" in str(error)
    assert not lab.of(Step, events)


def test_validation_rows_that_are_trained_on_are_dropped(lab: Lab) -> None:
    """Fault 14."""
    lab.write("valid.jsonl", [*lab.VALID, *lab.TRAIN[:4]])
    events = lab.train()
    data = lab.of(Started, events)[0].data
    assert (data["leaks"], data["valid_rows"], data["valid_used"], data["valid"]["rows"]) == (4, 7, 3, 3)
    assert "4 validation rows are also trained on (data.leaks: drop)" in [n.text for n in lab.of(Notice, events)]
    prepared = lab.prepared()
    assert [record.prompt for record in prepared.valid_records] == [question for question, _ in lab.VALID]
    kept = lab.prepared({"data.leaks": "keep"})
    assert len(kept.valid_records) == 7


def test_validation_that_is_all_leaks_is_none(lab: Lab) -> None:
    lab.write("valid.jsonl", lab.TRAIN)
    events = lab.train({"training.eval_interval": 2})
    assert not lab.of(Eval, events)
    assert any("no validation rows" in notice.text for notice in lab.of(Notice, events))
    assert not (lab.run().checkpoints / "best").exists()
    _, error = lab.failing({"training.early_stopping_patience": 3}, "patient")
    assert isinstance(error, ConfigError)


def test_rows_that_stand_there_twice_are_trained_on_once(lab: Lab) -> None:
    lab.write("train.jsonl", lab.TRAIN * 3)
    events = lab.train()
    data = lab.of(Started, events)[0].data
    assert (data["train_rows"], data["train_duplicates"], data["train_used"]) == (36, 24, 12)
    assert lab.of(Step, events)[2].epoch == pytest.approx(1.0)
    lab.train({"data.duplicates": "keep"}, "kept")
    assert lab.of(Step, lab.run("kept").read_metrics())[2].epoch == pytest.approx(1 / 3)


# -- the run ----------------------------------------------------------------------------------------------


def test_the_order_of_events(lab: Lab) -> None:
    events = lab.train({"training.max_steps": 2})
    kinds = [event.state if isinstance(event, State) else event.kind for event in events]
    assert kinds[:3] == ["preparing", "progress", "tokenizing"]
    began = kinds.index("started")
    assert kinds[began + 1 : began + 4] == ["training", "step", "step"]
    assert kinds[-2:] == ["done", "finished"]
    started = events[began]
    assert started.parameters == sum(p.numel() for p in lab.run().load().model.parameters())
    assert (started.resumed_step, started.total_steps, started.vocab_size, started.dtype) == (0, 2, 300, "fp32")


def test_a_run_is_not_trained_over(lab: Lab) -> None:
    lab.train({"training.max_steps": 1})
    before = checksums(lab.run().path)
    _, error = lab.failing()
    assert isinstance(error, RunError)
    assert "exists already" in str(error)
    assert checksums(lab.run().path) == before


def test_nothing_happens_before_the_first_event_is_asked_for(lab: Lab) -> None:
    lab.start()
    assert not lab.run().path.exists()


def test_threads_are_those_of_the_settings(lab: Lab) -> None:
    seen = []
    lab.train({"training.threads": 1}, on=lambda event: seen.append(torch.get_num_threads()))
    assert set(seen[2:]) == {1}
    assert SimpleNamespace(**lab.run().report()).threads == 1
