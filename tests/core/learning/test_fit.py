"""The engine from Python: one call to train, one to answer; and the example in the documentation runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import core
from core.errors import ConfigError, RunError
from core.events import Event, Finished, Started, Step

if TYPE_CHECKING:
    from .conftest import Lab

ROOT = Path(__file__).resolve().parents[3]


def test_one_call_trains_and_tells_everything(lab: Lab) -> None:
    events: list[Event] = []
    run = core.fit(lab.config(), events.append, run="mine", runs_dir=str(lab.folder))
    assert run.path == lab.folder / "mine"
    assert isinstance(lab.of(Started, events)[0], Started)
    assert isinstance(events[-1], Finished)
    assert events == list(run.read_metrics())
    model = core.load_run("mine", runs_dir=str(lab.folder))
    assert core.answer(model, "什么是鲸？").text
    assert [item for item in core.generate(model, "什么是鲸？") if isinstance(item, core.Answer)]


def test_a_callback_may_end_it(lab: Lab) -> None:
    class Enough(Exception):
        pass

    def stop(event: Event) -> None:
        if isinstance(event, Step) and event.step == 3:
            raise Enough

    with pytest.raises(Enough):
        core.fit(lab.config(), stop, run="mine", runs_dir=str(lab.folder))
    assert not lab.run("mine").lock.is_held()


def test_a_control_stops_it_and_resume_goes_on(lab: Lab) -> None:
    control = core.Control()

    def stop(event: Event) -> None:
        if isinstance(event, Step) and event.step == 3:
            control.request_stop()

    core.fit(lab.config(), stop, run="mine", runs_dir=str(lab.folder), control=control)
    events: list[Event] = []
    core.fit(on_event=events.append, run="mine", runs_dir=str(lab.folder), resume=True)
    assert lab.of(Started, events)[0].resumed_step == 3
    assert lab.of(Finished, events)[0].steps == 8
    with pytest.raises(RunError, match="no run 'yours'"):
        core.fit(run="yours", runs_dir=str(lab.folder), resume=True)


def test_the_public_names_can_be_imported_in_any_order(tmp_path: Path) -> None:
    """A submodule of the same name takes a function's place in the package: both can be called."""
    code = """
from core import Config, train, load_run, generate
import core.train, core.generate
from core import Config, train, load_run, generate, fit, answer, load_config, Answer, Control, Run, UserError
assert all(map(callable, (train, load_run, generate, fit, answer)))
from core.train import train as same
assert next(iter(train(Config.from_dict({"training": {"max_steps": 1}}), Run(__import__("pathlib").Path("r")))))
for name in core.__all__:
    getattr(core, name)
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True,
                          env={"PYTHONPATH": str(ROOT), "PATH": ""}, cwd=tmp_path, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_settings_from_python() -> None:
    config = core.Config.from_dict({"training": {"max_steps": 5}})
    assert config.update({"training.lr": 5e-4}, model={"n_layer": 2}).to_dict()["model"]["n_layer"] == 2
    assert core.Config.from_dict(config.to_dict()) == config
    with pytest.raises(ConfigError, match=r"training.lr: found -1.0"):
        config.update({"training.lr": -1.0})


def examples() -> list[Any]:
    text = (ROOT / "docs" / "python.md").read_text("utf-8")
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def test_the_documented_example_runs(lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """All blocks one after the other, as a reader would type them."""
    monkeypatch.chdir(lab.folder)
    assert len(examples()) >= 3
    names: dict[str, Any] = {}
    for block in examples():
        exec(compile(block, "docs/python.md", "exec"), names)
    assert "loss" in capsys.readouterr().out
    assert (lab.folder / "runs" / "first" / "report.json").is_file()
