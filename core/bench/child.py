"""One measurement in a process of its own.

``python -m core.bench`` with a JSON object prints the result as JSON; ``measure`` is how a program asks for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ..config import Config, load_config
from ..errors import RunError

#: Rows of a corpus that is made, enough for an epoch longer than any measurement here: 64,000 would take a minute.
CORPUS_ROWS, CORPUS_VALID = 4000, 200


def bench_config(recipe: str) -> Config:
    """A recipe as it is measured: a corpus that is made is a small one. Raises ``ConfigError``."""
    config = load_config(recipe)
    rows, valid = min(config.data.corpus_rows, CORPUS_ROWS), min(config.data.corpus_valid, CORPUS_VALID)
    return config.update({"data.corpus_rows": rows, "data.corpus_valid": valid})


def perform(task: dict[str, Any]) -> dict[str, Any]:
    """The result of one measurement, here and now. ``task``: kind, recipe, folder, cache and the kind's numbers."""
    kind = task["kind"]
    if kind == "peak":
        import torch

        from .matmul import peak_rate

        return {"fp32": peak_rate(torch.float32) / 1e9, "bf16": peak_rate(torch.bfloat16) / 1e9}
    config = bench_config(task["recipe"])
    cache = Path(task["cache"])
    if kind == "training":
        from .steps import measure_training

        return measure_training(config, Path(task["folder"]), cache, steps=task["steps"], warm=task["warm"])
    from .answers import measure_answers

    return measure_answers(config, cache, rounds=task["rounds"])


def measure(task: dict[str, Any]) -> dict[str, Any]:
    """``perform`` in a child. Raises ``RunError`` with the child's last line where it fails."""
    package = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "core.bench", json.dumps(task)],
        capture_output=True, encoding="utf-8", errors="replace", env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [str(done.returncode)])[-1]
        raise RunError("{what}: the measurement failed: {reason}", what=task.get("recipe", task["kind"]), reason=reason)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
