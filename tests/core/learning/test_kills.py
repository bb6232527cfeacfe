"""kill -9 at random moments, also while something is being written: nothing whole is lost, nothing half is taken.

A parent that has everything imported forks a child for each training: 200 kills need no 200 imports of torch.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core import checkpoint
from core.check import check_run
from core.config import to_yaml
from core.events import Step
from core.runs import Run

Lab = Any
SAVE_INTERVAL = 3
CHANGES: dict[str, Any] = {
    "training.max_steps": 20,
    "training.save_interval": SAVE_INTERVAL,
    "training.eval_interval": 8,
    "training.micro_batch": 3,
    "training.int8": True,
    "model.dropout": 0.2,
    "data.verify_rows": 3,
}

NURSERY = """
import gc, os, signal, sys, time, traceback
from pathlib import Path
import torch
from core.config import load_config
from core.runs import Run
from core.train import train

torch.set_num_threads(1)
gc.freeze()  # or each collection of a child would look through all that torch has ever made
config = load_config(file=Path(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    folder, seconds = line.split()
    run = Run(Path(folder))
    begin = time.perf_counter()
    child = os.fork()
    if child == 0:
        code = 3
        try:
            resume = run.exists() and run.has_begun()
            for event in train(None if resume else config, run, resume=resume):
                pass
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    if seconds != "never":
        time.sleep(float(seconds))  # the very moment of the kill is what is to be random
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(status, time.perf_counter() - begin, flush=True)
"""


class Nursery:
    """Trains runs in processes that are killed after some time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self.input, self.output = process.stdin, process.stdout
        assert self.output.readline() == "ready\n"

    def train(self, run: Run, seconds: float | None = None) -> tuple[int, float]:
        """Begin or go on with ``run``; its exit code (-9: killed) and how long it lived."""
        self.input.write(f"{run.path} {'never' if seconds is None else seconds}\n")
        self.input.flush()
        code, lived = self.output.readline().split()
        assert code in ("0", "-9"), "the training failed by itself"
        return int(code), float(lived)


def assert_nothing_is_damaged(run: Run) -> None:
    lines = run.metrics.read_bytes().split(b"\n") if run.metrics.exists() else [b""]
    for line in lines[:-1]:
        assert "kind" in json.loads(line)
    saved = 0
    if checkpoint.step_checkpoints(run.checkpoints):
        folder, problems = checkpoint.newest(run.checkpoints)
        assert problems == []
        saved = checkpoint.load(folder)[0]["step"]
    learnt = max([event.step for event in run.read_metrics() if isinstance(event, Step)], default=0)
    assert learnt - saved <= SAVE_INTERVAL, "more than one save interval is lost"
    if run.tokenizer_file.exists():
        assert [finding.what for finding in check_run(run) if finding.level == "error"] == []


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize("kills", [5, pytest.param(200, marks=pytest.mark.slow)])
def test_killed_at_random_moments(lab: Lab, python: Callable[..., subprocess.Popen[str]], kills: int) -> None:
    file: Path = lab.folder / "config.yaml"
    file.write_text(to_yaml(lab.config(CHANGES).to_dict()), encoding="utf-8")
    nursery = Nursery(python(NURSERY, file))
    nursery.train(lab.run("straight"))
    _, whole = nursery.train(lab.run("again"))  # the first one pays for what every process does once
    expected = lab.trace("straight")
    weights = (lab.run("straight").load().path / "model.safetensors").read_bytes()
    chance = random.Random(kills)
    done = number = 0
    while done < kills:
        number += 1
        run = lab.run(f"run-{number}")
        code = -9
        while code != 0:
            code, _ = nursery.train(run, chance.uniform(0.0, whole) if done < kills else None)
            done += code != 0
            if run.path.exists():
                assert_nothing_is_damaged(run)
        assert lab.trace(run.name) == expected, f"run {number} is not the training that was never killed"
        assert (run.load().path / "model.safetensors").read_bytes() == weights
        assert not list(run.checkpoints.glob(".*"))
    assert done == kills
