"""A training that is killed and resumed is the training that was never killed, to the last bit."""

from __future__ import annotations

import json
import math
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core import checkpoint
from core.batches import epoch_order
from core.control import Control
from core.errors import CheckpointError, ConfigError, RunError
from core.events import Eval, Event, Finished, Notice, RolledBack, Saved, Started, State, Step

Lab = Any

#: Nothing is a multiple of anything: 3 batches an epoch, a line every 4 steps, an evaluation every 5, a
#: checkpoint every 2. With dropout, and rows in pieces.
UNEVEN: dict[str, Any] = {
    "training.max_steps": 14,
    "training.log_interval": 4,
    "training.eval_interval": 5,
    "training.save_interval": 2,
    "training.micro_batch": 3,
    "model.dropout": 0.2,
    "data.probes": [{"prompt": "冰是什么？"}],
}


def weights(lab: Lab, name: str, step: int) -> list[bytes]:
    folder = checkpoint.step_folder(lab.run(name).checkpoints, step)
    return [(folder / file).read_bytes() for file in ("model.safetensors", "optimizer.safetensors")]


def saved_at(step: int) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, Saved) and event.step >= step and event.tag == "last"


def line_of(step: int) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, Step) and event.step >= step


# -- the same figures ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_killed_at_any_checkpoint_and_resumed(lab: Lab, dtype: str) -> None:
    changes = {**UNEVEN, "training.dtype": dtype}
    lab.ready(changes, "straight")
    expected = lab.trace("straight")
    assert [figure[:2] for figure in expected if figure[0] != "probe"] == [
        ("step", 4), ("eval", 5), ("step", 8), ("eval", 10), ("step", 12), ("eval", 14),
    ]  # fmt: skip
    for step in (2, 6, 8, 12):  # in the middle of a log interval, at an epoch's end, at a line, between evaluations
        name = f"killed-{step}"
        lab.cut_short(changes, name, saved_at(step))
        started = lab.of(Started, lab.resume(name))[0]
        assert started.resumed_step == step
        assert lab.trace(name) == expected, step
        assert weights(lab, name, 14) == weights(lab, "straight", 14)


@pytest.mark.parametrize(("log_interval", "points"), [(1, (7, 11)), (3, (6, 9))])
def test_killed_between_checkpoints_and_resumed(lab: Lab, log_interval: int, points: tuple[int, ...]) -> None:
    """The steps since the last checkpoint are lost, and come again exactly as they were."""
    changes = {**UNEVEN, "training.save_interval": 4, "training.log_interval": log_interval}
    lab.ready(changes, "straight")
    for step in points:
        lab.cut_short(changes, f"killed-{step}", line_of(step))
        started = lab.of(Started, lab.resume(f"killed-{step}"))[0]
        assert started.resumed_step == step - step % 4
        assert lab.trace(f"killed-{step}") == lab.trace("straight")


def test_killed_again_and_again(lab: Lab) -> None:
    lab.ready(UNEVEN, "straight")
    lab.cut_short(UNEVEN, "killed", line_of(4))
    for step in (8, 12):
        generator = lab.resuming("killed")
        assert any(line_of(step)(event) for event in generator)
        generator.close()
    lab.resume("killed")
    assert lab.trace("killed") == lab.trace("straight")
    assert weights(lab, "killed", 14) == weights(lab, "straight", 14)


def test_killed_before_the_first_checkpoint(lab: Lab) -> None:
    changes = {**UNEVEN, "training.log_interval": 1, "training.save_interval": 100, "training.eval_interval": 100}
    lab.ready(changes, "straight")
    lab.cut_short(changes, "killed", line_of(3))
    events = lab.resume("killed")
    assert lab.of(Started, events)[0].resumed_step == 0
    assert lab.trace("killed") == lab.trace("straight")


def test_killed_before_the_first_step(lab: Lab) -> None:
    lab.ready(UNEVEN, "straight")
    lab.cut_short(UNEVEN, "killed", lambda event: True)
    assert not lab.run("killed").tokenizer_file.exists()
    lab.resume("killed")
    assert lab.trace("killed") == lab.trace("straight")


def test_numbers_stay_what_they_were(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine, or a busier one, may be fast at others: the run goes on with those it began with."""
    changes = {**UNEVEN, "training.dtype": "auto"}
    monkeypatch.setattr("core.machine.fast_dtype", lambda: "bf16")
    lab.train(changes, "straight")
    lab.cut_short(changes, "killed", saved_at(6))
    monkeypatch.setattr("core.machine.fast_dtype", lambda: "fp32")
    assert lab.of(Started, lab.resume("killed"))[0].dtype == "bf16"
    assert lab.trace("killed") == lab.trace("straight")


def test_stopped_and_resumed(lab: Lab) -> None:
    """A stop saves where it is, in the middle of everything; what comes after is the same all the same."""
    changes = {**UNEVEN, "training.save_interval": 100}
    lab.ready(changes, "straight")
    for when in (0, 7, 9):
        control = Control()
        trained = 0

        def count(event: Event, control: Control = control, when: int = when) -> None:
            if isinstance(event, (Started, Step)) and getattr(event, "step", 0) >= when:
                control.request_stop("SIGTERM")

        lab.train({**changes, "training.log_interval": 1 if when else 4}, f"stopped-{when}", control, on=count)
        trained = lab.run(f"stopped-{when}").load().step
        assert trained == when
        events = lab.resume(f"stopped-{when}")
        assert lab.of(Started, events)[0].resumed_step == when
        assert lab.of(Finished, list(lab.run(f"stopped-{when}").read_metrics()))[0].reason == "max_steps"
        assert weights(lab, f"stopped-{when}", 14) == weights(lab, "straight", 14)
        evals = [figure for figure in lab.trace(f"stopped-{when}") if figure[0] == "eval"]
        assert evals == [figure for figure in lab.trace("straight") if figure[0] == "eval"]


def test_patience_and_the_best_survive(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def evaluations(*losses: float) -> None:
        left = iter(losses)
        monkeypatch.setattr("core.training.validation.evaluate_loss", lambda *_: next(left))

    changes = {"training.max_steps": 50, "training.eval_interval": 2, "training.save_interval": 2}
    changes |= {"training.early_stopping_patience": 3, "training.dtype": "fp32"}
    evaluations(2.0, 3.0, 3.0)
    lab.cut_short(changes, "run", saved_at(6))
    evaluations(2.5)
    events = lab.resume()
    assert [(e.step, e.best, e.best_step, e.improved) for e in lab.of(Eval, events)] == [(8, 2.0, 2, False)]
    assert (events[-1].reason, events[-1].steps) == ("early_stopping", 8)
    assert lab.run().load("best").step == 2


def test_elapsed_time_and_tokens_go_on(lab: Lab) -> None:
    changes = {**UNEVEN, "training.log_interval": 1}
    lab.cut_short(changes, "run", saved_at(6))
    before = lab.of(Step, lab.run().read_metrics())[5]
    first = lab.of(Step, lab.resume())[0]
    assert first.step == 7
    assert first.elapsed > before.elapsed
    assert first.tokens > before.tokens
    assert first.eta is None  # no estimate from steps of another process


def test_a_time_budget_goes_on_where_it_stood(lab: Lab, clock: Any) -> None:
    changes = {"training.max_steps": None, "training.max_minutes": 1.0, "training.save_interval": 1}
    lab.cut_short(changes, "run", lambda event: isinstance(event, Step) and event.elapsed > 30.0)
    before = lab.of(Step, lab.run().read_metrics())[-2]
    clock.now += 3600.0  # nobody trains meanwhile
    events = lab.resume()
    first = lab.of(Step, events)[0]
    assert before.elapsed < first.elapsed < before.elapsed + 6.0
    assert first.progress == pytest.approx(first.elapsed / 60.0)
    assert first.lr < before.lr
    assert (events[-1].reason, events[-1].train_seconds) == ("max_minutes", pytest.approx(60.0, abs=6.0))


# -- what a resume refuses or tells -------------------------------------------------------------------------


@pytest.mark.parametrize("save_interval", [7, 5])
@pytest.mark.parametrize("state", ["evaluating", "saving", "verifying", "done"])
def test_killed_after_the_last_step(lab: Lab, state: str, save_interval: int) -> None:
    """What is done is not done twice: no second evaluation, no second line of it in the record."""
    changes = {**UNEVEN, "training.save_interval": save_interval, "data.verify_rows": 3}
    lab.ready(changes, "straight")
    lab.cut_short(changes, "killed", lambda event: event == State(state, 14))
    lab.resume("killed")
    assert lab.trace("killed") == lab.trace("straight")
    assert weights(lab, "killed", 14) == weights(lab, "straight", 14)
    reports = [lab.run(name).report() for name in ("killed", "straight")]
    for key in ("loss", "eval_loss", "best_loss", "best_step", "probes", "exact", "tokens", "epochs"):
        assert reports[0][key] == reports[1][key]


def test_more_steps_than_asked_for_at_first(lab: Lab) -> None:
    lab.ready({"training.max_steps": 4})
    stored = lab.run().config()
    events = lab.resume(config=stored.update({"training.max_steps": 6, "training.lr": 1e-3}))
    assert [step.step for step in lab.of(Step, events)] == [5, 6]
    assert lab.run().config().training.max_steps == 6
    assert lab.run().load().config.training.lr == 1e-3


def test_a_finished_run_has_nothing_to_do(lab: Lab) -> None:
    lab.ready({"training.max_steps": 4})
    before = weights(lab, "run", 4)
    events = lab.resume()
    assert not lab.of(Step, events)
    assert (events[-1].reason, events[-1].steps) == ("max_steps", 4)
    assert weights(lab, "run", 4) == before


@pytest.mark.parametrize("changes", [{"training.lr": 0.1}, {"training.max_steps": 3}])
def test_settings_that_no_step_would_be_made_with_are_refused(lab: Lab, changes: dict[str, Any]) -> None:
    """A finished run's report would tell of them as if they had taught it something."""
    run = lab.ready({"training.max_steps": 4})
    before = {path: path.read_bytes() for path in (run.path / "config.yaml", run.path / "report.json", run.metrics)}
    with pytest.raises(RunError, match=r"^run: this training has ended, after 4 steps; .* ask for more"):
        lab.resume(config=run.config().update(changes))
    assert {path: path.read_bytes() for path in before} == before
    assert lab.of(Step, lab.resume(config=run.config().update({"training.lr": 0.1, "training.max_steps": 5})))


@pytest.mark.parametrize(
    ("key", "value"),
    [("training.batch_size", 6), ("model.n_layer", 3), ("training.seed", 1), ("data.template", "plain")],
)
def test_a_setting_that_would_make_another_run_is_refused(lab: Lab, key: str, value: Any) -> None:
    lab.ready({"training.max_steps": 2})
    stored = lab.run().config()
    with pytest.raises(ConfigError, match=f"^{key}: cannot change when a run goes on"):
        lab.resume(config=stored.update({key: value}))
    assert lab.run().config() == stored


def test_only_what_exists_can_be_resumed(lab: Lab) -> None:
    with pytest.raises(RunError, match="no such run"):
        lab.resume("missing")
    assert not lab.run("missing").path.exists()


def test_rows_that_are_held_out_anew_are_told(lab: Lab) -> None:
    """They may have been trained on before."""
    changes = {"training.save_interval": 1, "training.max_steps": 4, "data.valid": None, "data.valid_fraction": 0.3}
    lab.cut_short(changes, "run", saved_at(2))
    lab.write("train.jsonl", lab.TRAIN[:5])
    notices = [notice.text for notice in lab.of(Notice, lab.resume()) if notice.level == "warning"]
    assert any(text.startswith("and other rows are held out: those trained on before") for text in notices)


def test_the_time_in_all_counts_what_was_trained_before(lab: Lab, clock: Any) -> None:
    lab.cut_short({"training.save_interval": 1, "training.max_steps": 6}, "run", saved_at(4))
    end = lab.resume()[-1]
    assert end.total_seconds > end.train_seconds > 0


def test_data_that_changed_meanwhile_is_told(lab: Lab) -> None:
    """Its order has nothing to do with the old one: the next epoch begins, and no row number is out of range."""
    lab.cut_short({"training.save_interval": 1, "training.max_steps": 6}, "run", saved_at(2))
    lab.write("train.jsonl", lab.TRAIN[:5])
    events = lab.resume()
    notices = [notice.text for notice in lab.of(Notice, events) if notice.level == "warning"]
    assert notices == ["the data changed since step 2: its rows come in a new order from here on"]
    assert [(step.step, step.epoch) for step in lab.of(Step, events)] == [(3, 1.5), (4, 2.0), (5, 2.5), (6, 3.0)]
    lab.cut_short({"training.save_interval": 1, "training.max_steps": 6}, "same", saved_at(2))
    lab.write("train.jsonl", lab.TRAIN[:5])
    assert not [notice for notice in lab.of(Notice, lab.resume("same")) if notice.level == "warning"]


# -- damage -------------------------------------------------------------------------------------------------


def damage(folder: Path) -> None:
    """One flipped bit in the middle of the weights, which neither torch nor safetensors would notice."""
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_the_newest_whole_checkpoint_is_taken(lab: Lab) -> None:
    lab.ready(UNEVEN, "straight")
    lab.cut_short(UNEVEN, "killed", saved_at(8))
    damage(lab.run("killed").checkpoints / "step-00000008")
    events = lab.resume("killed")
    assert lab.of(Started, events)[0].resumed_step == 6
    (notice,) = [notice for notice in lab.of(Notice, events) if notice.level == "warning"]
    assert "step-00000008" in notice.text
    assert "does not match its checksum" in notice.text
    assert lab.trace("killed") == lab.trace("straight")
    assert weights(lab, "killed", 14) == weights(lab, "straight", 14)


def test_the_last_step_is_saved_again_if_its_checkpoint_was_damaged(lab: Lab) -> None:
    changes = {"training.max_steps": 6, "training.save_interval": 4}
    lab.train(changes)
    damage(lab.run().checkpoints / "step-00000006")
    events = lab.resume()
    assert [step.step for step in lab.of(Step, events)] == [5, 6]
    assert lab.run().load().step == 6
    assert lab.run().report()["steps"] == 6


def test_a_damaged_checkpoint_displaces_no_whole_one(lab: Lab) -> None:
    """With one checkpoint to keep, the damaged newest must not be the one."""
    folder, aside = lab.run().checkpoints, lab.folder / "aside"
    changes = {"training.max_steps": 6, "training.save_interval": 1, "training.keep_checkpoints": 1}

    def keep(event: Event) -> None:
        if saved_at(4)(event) and not aside.exists():
            shutil.copytree(checkpoint.step_folder(folder, 4), aside)

    lab.train(changes, on=keep)
    damage(checkpoint.step_folder(folder, 6))
    aside.rename(checkpoint.step_folder(folder, 4))
    seen = []
    for event in lab.resuming():
        if isinstance(event, Saved) and event.tag == "last":
            seen.append(checkpoint.newest(folder)[0].name)  # raises where there is none
    assert seen == ["step-00000005", "step-00000006"]
    assert [path.name for path in checkpoint.step_checkpoints(folder)] == ["step-00000006"]


def test_no_whole_checkpoint_is_an_error(lab: Lab) -> None:
    lab.ready({"training.max_steps": 2})
    damage(lab.run().checkpoints / "step-00000002")
    with pytest.raises(CheckpointError, match="no whole checkpoint"):
        lab.resume()
    assert lab.run().state() != "running"


# -- going back, then on ------------------------------------------------------------------------------------


def test_half_the_rate_survives_a_resume(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.model import GPT

    loss_sum, calls = GPT.loss_sum, iter(range(1000))

    def patched(self: GPT, inputs: torch.Tensor, targets: torch.Tensor, *more: torch.Tensor | None) -> torch.Tensor:
        loss = loss_sum(self, inputs, targets, *more)
        return loss * math.nan if self.training and next(calls) in (2, 3, 4) else loss

    changes = {"training.max_steps": 10, "training.save_interval": 1}
    lab.ready(changes, "straight")
    monkeypatch.setattr(GPT, "loss_sum", patched)
    lab.cut_short(changes, "killed", saved_at(6))
    monkeypatch.setattr(GPT, "loss_sum", loss_sum)
    assert lab.of(RolledBack, lab.run("killed").read_metrics())
    lab.resume("killed")
    rates = {step.step: step.lr for step in lab.of(Step, lab.run("killed").read_metrics())}
    for step in lab.of(Step, lab.run("straight").read_metrics())[2:]:
        assert rates[step.step] == pytest.approx(step.lr / 2)


def test_going_back_is_remembered_by_a_run_that_is_killed_right_after(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or it would run into the same wall at the same rate again, and be allowed to go back once more."""
    from core.model import GPT

    loss_sum = GPT.loss_sum

    def no_number(self: GPT, inputs: torch.Tensor, targets: torch.Tensor, *more: torch.Tensor | None) -> torch.Tensor:
        return loss_sum(self, inputs, targets, *more) * (math.nan if self.training else 1.0)

    for save_interval, to in ((3, 3), (100, 0)):
        name = f"back-to-{to}"
        generator = lab.start({"training.save_interval": save_interval}, name)
        assert any(line_of(5)(event) for event in generator)
        with monkeypatch.context() as patch:
            patch.setattr(GPT, "loss_sum", no_number)
            assert any(isinstance(event, RolledBack) for event in generator)
            assert any(isinstance(event, Saved) for event in generator)
        generator.close()
        generator = lab.resuming(name)
        assert next(event for event in generator if isinstance(event, Started)).resumed_step == to
        monkeypatch.setattr(GPT, "loss_sum", no_number)
        with pytest.raises(RunError, match=f"not a number at step {to}, also after going back once"):
            list(generator)
        monkeypatch.setattr(GPT, "loss_sum", loss_sum)


def test_killed_between_the_two_renames_of_a_checkpoint(lab: Lab) -> None:
    """One that replaces another of the same step may be cut short when neither has its name."""
    changes = {**UNEVEN, "training.keep_checkpoints": 1}
    lab.ready(changes, "straight")
    lab.cut_short(changes, "killed", saved_at(8))
    folder = lab.run("killed").checkpoints
    (folder / "step-00000008").rename(folder / ".step-00000008.old")
    assert lab.run("killed").state() == "stopped"
    assert lab.run("killed").load().step == 8
    assert lab.of(Started, lab.resume("killed"))[0].resumed_step == 8
    assert lab.trace("killed") == lab.trace("straight")
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


# -- real processes -----------------------------------------------------------------------------------------

CHILD = """
import os, sys, signal
from pathlib import Path
from core.config import load_config
from core.events import Saved, Step
from core.runs import Run
from core.train import train

config, folder, point = load_config(file=Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3]
if point.startswith("call:"):  # inside the writing of a file: at the n-th flush or rename
    left = int(point[5:])
    def counted(function):
        def call(*args, **names):
            global left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **names)
        return call
    for name in ("fsync", "rename", "replace"):
        setattr(os, name, counted(getattr(os, name)))
for event in train(config, Run(folder)):
    if isinstance(event, Step) and point == f"step:{event.step}":
        os.kill(os.getpid(), signal.SIGKILL)
print("finished")
"""


def kill_and_resume(lab: Lab, python: Any, changes: dict[str, Any], name: str, point: str) -> list[Event]:
    """Train in a process of its own that kills itself at ``point``; resume here."""
    from core.config import to_yaml

    file = lab.folder / "config.yaml"
    file.write_text(to_yaml(lab.config(changes).to_dict()), encoding="utf-8")
    process = python(CHILD, file, lab.run(name).path, point)
    output, _ = process.communicate(timeout=120)
    assert (process.returncode, output) == (-signal.SIGKILL, ""), point
    events: list[Event] = lab.resume(name)
    return events


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_killed_by_the_system_and_resumed(lab: Lab, python: Any) -> None:
    """The process dies after line 9, between two checkpoints, with the record and the lock open."""
    changes = {**UNEVEN, "training.log_interval": 1, "training.save_interval": 4}
    lab.ready(changes, "straight")
    events = kill_and_resume(lab, python, changes, "killed", "step:9")
    assert lab.of(Started, events)[0].resumed_step == 8
    assert lab.trace("killed") == lab.trace("straight")
    assert weights(lab, "killed", 14) == weights(lab, "straight", 14)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_killed_while_writing_and_resumed(lab: Lab, python: Any, dtype: str) -> None:
    """Also in the middle of a checkpoint, of the best one, of the settings: what counts is whole or not there."""
    changes = {**UNEVEN, "training.log_interval": 1, "training.dtype": dtype}
    lab.ready(changes, "straight")
    for point in (*(f"call:{n}" for n in range(3, 100, 12)), "step:1", "step:14"):
        name = point.replace(":", "-")
        kill_and_resume(lab, python, changes, name, point)
        assert lab.trace(name) == lab.trace("straight"), point
        assert weights(lab, name, 14) == weights(lab, "straight", 14), point
        left = [path.name for path in lab.run(name).checkpoints.iterdir() if path.name.startswith(".")]
        assert not left, point


def test_a_run_belongs_to_one_process(lab: Lab, python: Any) -> None:
    generator = lab.start({"training.save_interval": 1})
    next(event for event in generator if isinstance(event, Saved))
    code = """
import sys
from pathlib import Path
from core.errors import RunError
from core.runs import Run
from core.train import train
run = Run(Path(sys.argv[1]))
try:
    next(train(None, run, resume=True))
except RunError as error:
    print(run.state(), error)
"""
    output, _ = python(code, lab.run().path).communicate(timeout=120)
    assert output.startswith("running ")
    assert "another process is writing to it" in output
    with pytest.raises(RunError, match="another process is writing to it"):
        lab.resume()
    metrics = lab.run().metrics.read_bytes()
    next(generator)
    assert lab.run().metrics.read_bytes().startswith(metrics)  # and the first one is none the worse
    generator.close()
    assert lab.run().state() == "stopped"
    assert lab.resume()[-1].reason == "max_steps"


# -- order --------------------------------------------------------------------------------------------------


def test_the_order_of_rows_is_a_function_of_seed_and_epoch() -> None:
    """What makes a resume possible without any state of a loader."""
    lengths = np.arange(100, dtype=np.int32) % 17 + 2

    def order(seed: int, epoch: int) -> str:
        return json.dumps([batch.tolist() for batch in epoch_order(lengths, 4, seed, epoch)])

    assert order(1, 0) == order(1, 0)
    assert len({order(1, 0), order(1, 1), order(2, 0), order(2, 1)}) == 4


def test_without_the_optimizer_s_memory_it_goes_on_with_a_warning(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a bundle without it: the loss rose, and nothing said why."""
    lab.cut_short(UNEVEN, "run", saved_at(4))
    load = checkpoint.load
    monkeypatch.setattr(checkpoint, "load", lambda *args, **options: (*load(*args, **options)[:2], {}))
    events = lab.resume()
    said = [event for event in events if isinstance(event, Notice) and "optimizer's memory" in event.text]
    assert [(event.level, event.values) for event in said] == [("warning", {"step": 4})]
    assert isinstance(events[-1], Finished)
