"""Run directories: made, listed, found, read, deleted – and what is said when that cannot be."""

from __future__ import annotations

import json
import os
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from core import checkpoint, events
from core.config import Config
from core.errors import CheckpointError, ConfigError, DataError, RunError
from core.generate import answer
from core.model import GPT
from core.quantize import quantize_weights
from core.runs import MAX_METRIC_LINE, Run, find_run, list_runs, load_model, load_run, new_run, runs_folder
from core.tokenizer import Tokenizer

Make = Callable[..., GPT]
STEP = events.Step(10, 1.5, 1e-3, 0.5, 100.0, 1.0, 2.0)


def made(folder: Path, name: str = "a", **changes: Any) -> Run:
    run = new_run(folder, name, "teacher")
    run.create(Config().update({"recipe": "teacher", **changes}))
    return run


def learnt(run: Run, *more: events.Event) -> Run:
    """As if a step had been made."""
    with open(run.metrics, "a", encoding="utf-8") as file:
        for event in (STEP, *more):
            file.write(json.dumps(event.to_json()) + "\n")
    return run


@pytest.fixture
def trained(tmp_path: Path, make_model: Make, words: Tokenizer) -> Run:
    """A run with two checkpoints and the best and the int8 one, of different weights each."""
    run = learnt(made(tmp_path / "runs"))
    run.save_tokenizer(words)
    for name, seed in (("step-00000010", 10), ("step-00000020", 20), ("best", 3), ("int8", 4)):
        model = make_model(words.vocab_size, seed)
        config = run.config().update({f"model.{key}": value for key, value in model.config.model_dump().items()})
        weights = model.state_dict() if name != "int8" else quantize_weights(model, model.state_dict())
        state = {"step": seed, "config": config.to_dict()}
        checkpoint.save(run.checkpoints / name, state, words.to_json(), weights)
    return run


# -- where and under what name --------------------------------------------------------------------------------


def test_where_runs_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GPT_TUI_RUNS", raising=False)
    assert runs_folder() == Path("runs")
    monkeypatch.setenv("GPT_TUI_RUNS", "/elsewhere")
    assert runs_folder() == Path("/elsewhere")
    assert runs_folder("here") == Path("here")
    monkeypatch.setenv("GPT_TUI_RUNS", "")
    assert runs_folder() == Path("runs")


@pytest.mark.parametrize("name", ["a", "我的模型", "v1.2_x+y-z", "0", "é", "x" * 100])
def test_names_that_can_be_folders(tmp_path: Path, name: str) -> None:
    assert made(tmp_path, name).config().recipe == "teacher"


@pytest.mark.parametrize(
    "name",
    [*["", ".", "..", ".hidden", "-x", "a/b", "../x", "/tmp/x", "a b", "a\nb", "a\n", "a\x1b[31m", "a\u202eb", "a\0"],
     "x" * 101, "~", "a:b", "a\\b", "*"],
)  # fmt: skip
def test_names_that_cannot(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunError, match="a run's name is letters") as problem:
        new_run(tmp_path, name, "teacher")
    assert str(problem.value).isprintable()


def test_runs_without_a_name_get_recipe_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "strftime", lambda form: "20260102-030405")
    names = []
    for _ in range(3):
        run = new_run(tmp_path, None, "reader")
        run.create(Config())
        names.append(run.name)
    assert names == ["reader-20260102-030405", "reader-20260102-030405-2", "reader-20260102-030405-3"]


# -- making ---------------------------------------------------------------------------------------------------


def test_a_run_is_private_and_holds_its_settings(tmp_path: Path) -> None:
    run = made(tmp_path / "x" / "runs", **{"training.lr": 0.0123})
    assert run.exists()
    assert run.config().training.lr == 0.0123
    for folder in (run.path, run.path.parent, run.path.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_run_that_has_learnt_is_not_overwritten(tmp_path: Path, trained: Run) -> None:
    begun = learnt(made(tmp_path / "runs", "b"))
    for run in (trained, begun):
        with pytest.raises(RunError, match=f"exists already; go on with --resume {run.name} or"):
            run.create(Config().update({"training.lr": 0.5}))
        assert run.config().training.lr != 0.5
        assert run.metrics.read_text(encoding="utf-8")


def test_a_run_that_failed_before_its_first_step_is_made_anew(tmp_path: Path) -> None:
    """A misspelt --data must not use up the name: resuming such a run would only find the misspelling again."""
    run = made(tmp_path)
    run.metrics.write_text('{"kind": "state", "state": "preparing", "step": 0}\n', encoding="utf-8")
    run.create(Config().update({"training.lr": 0.5}))
    assert run.config().training.lr == 0.5
    assert not run.metrics.exists()


def test_a_run_that_someone_is_preparing_is_not_overwritten(tmp_path: Path) -> None:
    run = made(tmp_path)
    lock = run.lock
    lock.acquire()
    try:
        with pytest.raises(RunError, match="exists already"):
            run.create(Config())
    finally:
        lock.release()


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("x")
    with pytest.raises(RunError, match=r"cannot be written: (Not a directory|File exists)"):
        made(tmp_path / "runs")
    with pytest.raises(RunError, match="cannot be written: File name too long"):
        made(tmp_path / "good", "名" * 100)


# -- listing and finding --------------------------------------------------------------------------------------


def aged(run: Run, seconds: float, file: str = "config.yaml") -> Run:
    os.utime(run.path / file, (1e9 - seconds, 1e9 - seconds))
    return run


def test_runs_are_listed_by_when_they_last_changed(tmp_path: Path) -> None:
    for name, age in (("old", 100), ("new", 1), ("middle", 50)):
        aged(made(tmp_path, name), age)
    active = learnt(aged(made(tmp_path, "active"), 1000))
    aged(active, 10, "metrics.jsonl")
    (tmp_path / "no-run").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "config.yaml").mkdir()
    assert [run.name for run in list_runs(tmp_path)] == ["new", "active", "middle", "old"]
    assert list_runs(tmp_path / "nowhere") == []
    assert list_runs(tmp_path / "file") == []


def test_a_run_that_is_being_unpacked_is_none_yet(tmp_path: Path, trained: Run) -> None:
    """Nor is what an import left that was killed."""
    half = trained.path.parent / ".theirs.123-456.tmp"
    shutil.copytree(trained.path, half)
    assert [run.name for run in list_runs(half.parent)] == [trained.name]
    assert find_run(half.parent).name == trained.name


def test_equally_old_runs_have_a_fixed_order(tmp_path: Path) -> None:
    for name in ("b", "c", "a"):
        aged(made(tmp_path, name), 5)
    assert [run.name for run in list_runs(tmp_path)] == ["c", "b", "a"]


def test_finding(tmp_path: Path, trained: Run) -> None:
    folder = trained.path.parent
    newer = made(folder, "b")
    assert find_run(folder) == trained, "the newest that has a checkpoint"
    assert find_run(folder, "b") == newer
    assert find_run(tmp_path / "elsewhere", str(trained.path)).path == trained.path


def test_not_finding_says_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no trained run in .*; train one first"):
        find_run(tmp_path)
    with pytest.raises(RunError, match=r"no run 'x' in .*; there are: none"):
        find_run(tmp_path, "x")
    for i in range(12):
        aged(made(tmp_path, f"r{i:02}"), i)
    with pytest.raises(RunError, match=r"there are: r00, r01, r02, r03, r04, r05, r06, r07, …$"):
        find_run(tmp_path, "r99")
    with pytest.raises(RunError, match="no trained run"):
        find_run(tmp_path)


def test_states(tmp_path: Path, trained: Run) -> None:
    run = made(tmp_path, "b")
    assert run.state() == "empty"
    lock = run.lock
    lock.acquire()
    assert run.state() == "running"
    lock.release()
    assert trained.state() == "stopped"
    trained.write_report({"steps": 3})
    assert trained.state() == "finished"


def test_reports(tmp_path: Path) -> None:
    run = made(tmp_path)
    assert run.report() is None
    run.write_report({"steps": 3, "note": "水"})
    assert run.report() == {"steps": 3, "note": "水"}
    (run.path / "report.json").write_text("[1]")
    assert run.report() is None
    (run.path / "report.json").write_text('{"a":\n1,}')
    with pytest.raises(RunError, match=r"report\.json:2: not valid JSON"):
        run.report()


def test_settings_of_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such run"):
        Run(tmp_path / "x").config()
    run = made(tmp_path)
    (run.path / "config.yaml").write_text("training:\n  lr: high\n")
    with pytest.raises(ConfigError, match=r"config\.yaml:2: training\.lr"):
        run.config()


# -- deleting -------------------------------------------------------------------------------------------------


def test_deleting(trained: Run) -> None:
    trained.delete()
    assert not trained.path.exists()
    assert trained.path.parent.exists()


def test_a_run_in_use_is_not_deleted(trained: Run) -> None:
    lock = trained.lock
    lock.acquire()
    with pytest.raises(RunError, match="a training is writing to it; stop it first"):
        trained.delete()
    lock.release()
    assert trained.exists()
    trained.delete()


def test_a_folder_of_someones_work_is_not_deleted(tmp_path: Path) -> None:
    """``gpt-tui init DIR`` makes such folders, and every checkout is one."""
    (tmp_path / "config.yaml").write_text("recipe: teacher\n")
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match="nothing in it comes from a training"):
        find_run(tmp_path, str(tmp_path)).delete()
    assert (tmp_path / "thesis.txt").exists()


def test_deleting_a_link_leaves_what_it_points_to(tmp_path: Path, trained: Run) -> None:
    link = tmp_path / "link"
    link.symlink_to(trained.path, target_is_directory=True)
    Run(link).delete()
    assert not link.is_symlink()
    assert trained.exists()


# -- metrics --------------------------------------------------------------------------------------------------


def test_metrics_come_back_as_the_events_they_were(tmp_path: Path) -> None:
    run = made(tmp_path)
    assert list(run.read_metrics()) == []
    happened = (
        events.Eval(10, 1.0, 1.0, 10, True),
        events.Probe(10, "水？", "水", None, False),
        events.State("done", 10),
    )
    learnt(run, *happened)
    assert list(run.read_metrics()) == [STEP, *happened]


@pytest.mark.parametrize(
    "line",
    [
        b'{"kind": "step", "step": 20, "lo',  # still being written
        b"",
        b"\n\n",
        b"not json\n",
        b"[1]\n",
        b'"text"\n',
        b"NaN\n",
        b'{"kind": "invented"}\n',
        b'{"step": 3}\n',
        b'{"kind": "step"}\n',
        b'{"kind": ["step"]}\n',
        b"\xff\xfe\n",
        b"\0\0\0\0\n",
        b"[" * 100_000 + b"\n",
        b"9" * 5000 + b"\n",
        b'{"kind": "step", "x": "' + b"y" * (2 * MAX_METRIC_LINE) + b'"}\n',
    ],
)
def test_lines_that_are_no_events_are_passed_over(tmp_path: Path, line: bytes) -> None:
    run = learnt(made(tmp_path))
    good = run.metrics.read_bytes()
    run.metrics.write_bytes(good + line)
    assert list(run.read_metrics()) == [STEP]
    if line.endswith(b"\n"):
        run.metrics.write_bytes(line + good + line + good)
        assert list(run.read_metrics()) == [STEP, STEP]


def test_metrics_that_are_no_file(tmp_path: Path) -> None:
    run = made(tmp_path)
    os.mkfifo(run.metrics)
    assert list(run.read_metrics()) == []


# -- loading --------------------------------------------------------------------------------------------------


def test_loading_each_checkpoint(trained: Run, words: Tokenizer) -> None:
    for which, step in (("last", 20), ("best", 3), ("int8", 4), ("step-00000010", 10)):
        loaded = trained.load(which)
        assert loaded.step == step
        assert loaded.path.parent == trained.checkpoints
        assert loaded.bytes == (loaded.path / "model.safetensors").stat().st_size
        assert not loaded.model.training
        assert loaded.tokenizer.encode("水") == words.encode("水")
        assert loaded.config.model.n_layer == 2
        assert answer(loaded, "水？").text


def test_weights_come_back_as_they_were(trained: Run, make_model: Make, words: Tokenizer) -> None:
    wanted = make_model(words.vocab_size, 20).state_dict()
    found = trained.load().model.state_dict()
    assert set(found) == set(wanted)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_load_run_by_name_and_folder(trained: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = str(trained.path.parent)
    assert load_run(runs_dir=folder).step == 20
    assert load_run("a", "best", folder).step == 3
    monkeypatch.setenv("GPT_TUI_RUNS", folder)
    assert load_run().step == 20
    with pytest.raises(RunError, match="no run 'b'"):
        load_run("b")
    with pytest.raises(CheckpointError, match="no checkpoint 'nope'"):
        load_run("a", "nope")


def test_a_damaged_last_checkpoint_gives_the_one_before(trained: Run) -> None:
    (trained.checkpoints / "step-00000020" / "state.json").write_text("{}")
    assert trained.load().step == 10


def change_state(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any], dict[str, Any]], object]:
    return lambda state, weights: change(state)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (change_state(lambda s: s.pop("config")), "config"),
        (change_state(lambda s: s.update(config=3)), "does not fit"),
        (change_state(lambda s: s["config"]["model"].update(n_embd=64)), "does not fit"),
        (change_state(lambda s: s["config"]["model"].update(n_layer=1)), "does not fit"),
        (change_state(lambda s: s["config"]["model"].update(n_layer=0)), "model.n_layer"),
        (change_state(lambda s: s["config"].update(invented=1)), "invented"),
        (change_state(lambda s: s.update(step="many")), "does not fit"),
        (change_state(lambda s: s.update(step=None)), "does not fit"),
        (lambda s, w: w.pop("norm.weight"), "does not fit"),
        (lambda s, w: w.update(surprise=torch.ones(2)), "does not fit"),
        (lambda s, w: w.update({"norm.weight": torch.ones(7)}), "does not fit"),
        (lambda s, w: w.clear(), "does not fit"),
    ],
)
def test_what_does_not_fit_is_one_line(
    tmp_path: Path,
    trained: Run,
    words: Tokenizer,
    change: Callable[[dict[str, Any], dict[str, Any]], object],
    reason: str,
) -> None:
    state, weights, _ = checkpoint.load(trained.checkpoints / "best")
    change(state, weights)
    checkpoint.save(tmp_path / "x", state, words.to_json(), weights)
    with pytest.raises(CheckpointError, match="does not fit") as problem:
        load_model(tmp_path / "x")
    assert reason in str(problem.value)
    assert "\n" not in str(problem.value)
    assert len(str(problem.value)) < 400


def test_a_checkpoint_with_a_wrong_tokenizer(tmp_path: Path, trained: Run, single: Tokenizer) -> None:
    state, weights, _ = checkpoint.load(trained.checkpoints / "best")
    checkpoint.save(tmp_path / "other", state, single.to_json(), weights)
    with pytest.raises(CheckpointError, match="does not fit"):
        load_model(tmp_path / "other")
    checkpoint.save(tmp_path / "none", state, "{}", weights)
    with pytest.raises(DataError, match="not a tokenizer"):
        load_model(tmp_path / "none")
