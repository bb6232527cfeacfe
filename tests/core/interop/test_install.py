"""What an import leaves behind: a whole run, or nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from core import checkpoint
from core.errors import RunError
from core.interop.gpt2 import read_gpt2
from core.interop.install import Foreign, install
from core.runs import find_run, list_runs
from core.storage import file_sha256
from core.train import train

Drive = Callable[..., Any]


@pytest.fixture
def foreign(tmp_path: Path, hf_gpt2: Callable[..., Any], drive: Drive) -> Foreign:
    hf_gpt2(tmp_path / "hf")
    found = drive(read_gpt2(tmp_path / "hf"))
    assert isinstance(found, Foreign)
    return found


def test_a_run_with_weights_int8_and_provenance(tmp_path: Path, foreign: Foreign, drive: Drive) -> None:
    run = drive(install(tmp_path / "runs", "mine", foreign))
    assert (run.name, run.state()) == ("mine", "finished")
    assert find_run(tmp_path / "runs").name == "mine"
    for which in ("last", "int8"):
        checkpoint.verify(checkpoint.resolve(run.checkpoints, which))
    exact, small = run.load(), run.load("int8")
    ids = torch.arange(40)[None]
    with torch.inference_mode():
        a, b = (loaded.model.logits(loaded.model(ids)) for loaded in (exact, small))
    assert 0 < (a - b).abs().max() < 0.3 * a.std()
    about = run.imported()
    assert about["source"] == str(tmp_path / "hf")
    for file in about["files"]:
        path = tmp_path / "hf" / file["name"]
        assert (file["bytes"], file["sha256"]) == (path.stat().st_size, file_sha256(path))
    state = checkpoint.load(checkpoint.step_folder(run.checkpoints, 0))[0]
    assert state["imported"] == about


def test_names(tmp_path: Path, foreign: Foreign, drive: Drive) -> None:
    runs = tmp_path / "runs"
    assert [drive(install(runs, None, foreign)).name for _ in range(3)] == ["gpt2-2x32", "gpt2-2x32-2", "gpt2-2x32-3"]
    with pytest.raises(RunError, match="there is something of this name already; choose another"):
        drive(install(runs, "gpt2-2x32", foreign))
    with pytest.raises(RunError, match="a run's name is letters"):
        drive(install(runs, "../x", foreign))
    assert len(list_runs(runs)) == len(list(runs.iterdir())) == 3


@pytest.mark.parametrize(
    "problem", [OSError(28, "No space left on device"), KeyboardInterrupt(), MemoryError()], ids=repr
)
def test_what_fails_half_way_leaves_nothing(
    tmp_path: Path, foreign: Foreign, drive: Drive, monkeypatch: pytest.MonkeyPatch, problem: BaseException
) -> None:
    def fail(*_: Any) -> Any:
        raise problem

    monkeypatch.setattr("core.interop.install.quantize_weights", fail)  # the weights are written by then
    expected = RunError if isinstance(problem, OSError) else type(problem)
    with pytest.raises(expected):
        drive(install(tmp_path / "runs", "mine", foreign))
    assert os.listdir(tmp_path / "runs") == []


def test_an_import_that_is_given_up_leaves_nothing(tmp_path: Path, foreign: Foreign) -> None:
    steps = install(tmp_path / "runs", "mine", foreign)
    next(steps)
    steps.close()
    assert os.listdir(tmp_path / "runs") == []


def test_an_imported_run_has_no_training_to_go_on_with(tmp_path: Path, foreign: Foreign, drive: Drive) -> None:
    run = drive(install(tmp_path / "runs", "mine", foreign))
    with pytest.raises(RunError, match=r"was imported, .* gpt-tui train --from mine"):
        list(train(None, run, resume=True))
