"""The same training with the screen and without: what the app takes away from a step.

The app is used as people use it: opened, its settings looked at – which measures the machine, in a thread that lives on
– and then started.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

from core.config import load_config
from core.yamlio import dump_yaml

from .launch import FIRST_PAINT, LONGEST, PROGRAM, TERMINAL, environment, failed
from .terminal import Terminal

#: A training that does nothing but step: both sides have the rest too, but not at the same moments.
PLAIN = (
    "training.eval_interval=1000000", "training.save_interval=1000000", "training.log_interval=2", "data.probes=[]",
    "data.verify_rows=0", "training.int8=false", "training.figures=false",
)  # fmt: skip
SIDES = ("headless", "app")
#: Keys: to the tab of the settings, and F5, which starts from there.
SETTINGS, START = "2", "\x1b[15~"
WARM_LINES = 4  # lines of metrics.jsonl at the beginning that do not count


def train_arguments(recipe: str, steps: int, runs: Path, name: str) -> list[str]:
    changes = [word for change in PLAIN for word in ("--set", change)]
    return ["train", "--recipe", recipe, "--steps", str(steps), "--runs-dir", str(runs), "--run", name, *changes]


def step_seconds(metrics: Path) -> float:
    """Mean seconds of a step by a run's own record, the first ones left out."""
    lines = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]
    steps = [line for line in lines if line["kind"] == "step"][WARM_LINES:]
    if len(steps) < 2:
        raise failed(metrics.parent.name, "too few steps")
    return float((steps[-1]["elapsed"] - steps[0]["elapsed"]) / (steps[-1]["step"] - steps[0]["step"]))


def train_headless(arguments: list[str], home: Path) -> None:
    done = subprocess.run([*PROGRAM, "--no-ui", *arguments], cwd=home, env=environment(home), capture_output=True)
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise failed("train", "".join(reason))


def train_in_app(recipe: str, steps: int, home: Path, runs: Path, most: float) -> Path:
    """The run's record. The app stays open after the training: wait for the end in the record, then close it."""
    runs.mkdir()
    config = load_config(recipe, overrides=[*PLAIN, f"training.max_steps={steps}"])
    (runs / "config.yaml").write_text(dump_yaml(config.to_dict()), encoding="utf-8")
    terminal = Terminal([*PROGRAM, "--runs-dir", str(runs)], runs, environment(home))
    try:
        # How long the steps will take stands there once the machine has been measured: there are no runs to go by.
        for text, keys in ((FIRST_PAINT, SETTINGS), (f" for {steps:,} steps", START)):
            if terminal.seconds_until(text, LONGEST) is None:
                raise failed("gpt-tui", f"no {text!r} on the screen")
            terminal.write(keys)
        begin = time.perf_counter()
        while not (found := list(runs.glob("*/metrics.jsonl"))) or '"kind": "finished"' not in _tail(found[0]):
            if time.perf_counter() - begin > most or not terminal.read(0.25):
                raise failed("gpt-tui", "no end")
    finally:
        terminal.close()
    return found[0]


def _tail(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - 2000))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def measure_beside(home: Path, runs: Path, recipe: str, *, steps: int, pairs: int) -> dict[str, Any]:
    """Median step of ``pairs`` trainings of each side, the sides in turn and every other pair backwards.

    The headless runs stay in ``runs``; ``run`` names the last one. ``app`` and ``ratio`` are None where there is no
    pseudo-terminal.
    """
    found: dict[str, list[float]] = {side: [] for side in SIDES}
    name = ""
    for number in range(pairs):
        order = SIDES if TERMINAL else SIDES[:1]
        for side in order if number % 2 == 0 else order[::-1]:
            if side == "app":
                metrics = train_in_app(recipe, steps, home, home / f"app-{number}", LONGEST + 5.0 * steps)
            else:
                name = f"headless-{number}"
                train_headless(train_arguments(recipe, steps, runs, name), home)
                metrics = runs / name / "metrics.jsonl"
            found[side].append(step_seconds(metrics))
    headless = statistics.median(found["headless"])
    app = statistics.median(found["app"]) if found["app"] else None
    return {
        "recipe": recipe, "steps": steps, "pairs": pairs, "run": name, "headless_step_seconds": headless,
        "app_step_seconds": app, "ratio": None if app is None else app / headless,
    }  # fmt: skip
