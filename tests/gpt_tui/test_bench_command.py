"""``gpt-tui bench``: how the figures come together and what is printed, never how large they are."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.config import load_config
from core.errors import RunError
from core.yamlio import dump_yaml
from gpt_tui import i18n
from gpt_tui.bench import beside, launch, plan
from gpt_tui.bench.terminal import Terminal

Cli = Callable[..., Any]
needs_terminal = pytest.mark.skipif(os.name != "posix", reason="no pseudo-terminals")

TRAINING = {
    "recipe": "teacher", "parameters": 3_000_000, "dtype": "bf16", "threads": 2, "prepare_seconds": 1.0, "steps": 9,
    "step_seconds": 0.0625, "tokens_per_second": 12345.6, "padding_share": 0.02, "mfu": 0.514, "peak_gflops": 900.0,
    "parts": {"data": 0.001, "forward": 0.02, "backward": 0.04, "optimizer": 0.0015, "logging": 0.00001},
    "peak_memory_bytes": 500_000_000,
}  # fmt: skip
RESULTS: dict[str, dict[str, Any]] = {
    "peak_gflops": {"fp32": 150.0, "bf16": 900.0},
    "training": TRAINING,
    "generation": {
        "recipe": "teacher", "parameters": 3_000_000, "prompt_tokens": 64, "new_tokens": 64,
        **{form: {"prefill": 9000.0, "decode": 2000.0} for form in ("fp32", "bf16", "int8")},
    },
    "app": {
        "recipe": "teacher", "steps": 30, "pairs": 1, "run": "x", "headless_step_seconds": 0.05,
        "app_step_seconds": 0.051, "ratio": 1.02,
    },
    "startup_seconds": {"help": 0.11, "first_paint": 0.62, "first_token": None},
}  # fmt: skip


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[plan.Extent]:
    """Stands in for the measurements, which take minutes; the extents that were asked for."""
    asked: list[plan.Extent] = []

    def measure_all(extent: plan.Extent, folder: Path) -> Any:
        asked.append(extent)
        for part, found in RESULTS.items():
            for name in extent.recipes if part == "training" else [""]:
                yield part, name, {}
                yield part, name, found

    monkeypatch.setattr(plan, "measure_all", measure_all)
    return asked


def test_json_holds_every_figure(gpt_tui: Cli, measured: list[plan.Extent]) -> None:
    found = gpt_tui("bench", "--json").json
    assert found["training"] == dict.fromkeys(("teacher", "reader", "reader-100m"), TRAINING)
    assert all(found[part] == RESULTS[part] for part in RESULTS if part != "training")
    assert found["machine"]["cores"] == 1
    assert found["quick"] is False
    assert measured == [plan.FULL]


def test_lines_for_people(gpt_tui: Cli, measured: list[plan.Extent]) -> None:
    out = gpt_tui("bench", "--quick", "--recipe", "teacher").out
    for figure in ("12,346", "51.4 %", "62.5", "40.0", "500.0 MB", "900 in bf16", "0.62 s", "+2.0 %", "not measured"):
        assert figure in out
    assert (measured[0].recipes, measured[0].rounds) == (("teacher",), plan.QUICK.rounds)


def test_lines_in_chinese(gpt_tui: Cli, measured: list[plan.Extent]) -> None:
    try:
        out = gpt_tui("--lang", "zh", "bench").out
    finally:
        i18n.set_language("en")
    assert "峰值利用率" in out
    assert "tokens" not in out


def test_a_misspelt_recipe_is_said_first(gpt_tui: Cli, measured: list[plan.Extent]) -> None:
    done = gpt_tui("bench", "--recipe", "techer")
    assert (done.code, done.out, measured) == (1, "", [])
    assert "techer" in done.err


def test_rounds_become_medians_and_memory_the_highest() -> None:
    rounds = [
        {"name": "a", "steps": 3, "rate": rate, "parts": {"data": 10 * rate}, "peak_memory_bytes": size}
        for rate, size in ((3.0, 5), (1.0, 9), (2.0, 7))
    ]
    assert plan.medians(rounds) == {
        "name": "a", "steps": 3, "rate": 2.0, "parts": {"data": 20.0}, "peak_memory_bytes": 9,
    }  # fmt: skip


def test_larger_models_are_measured_for_fewer_steps() -> None:
    few, many = plan.steps_for("reader-100m", 10.0), plan.steps_for("teacher", 10.0)
    assert 6 <= few < many <= 200
    assert plan.steps_for("reader-100m", 0.0) == 6


def test_a_step_from_the_record_of_a_run(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    lines = [{"kind": "step", "step": 2 * n, "elapsed": 9.0 + n * 0.5} for n in range(1, 9)]
    metrics.write_text("".join(json.dumps(line) + "\n" for line in [{"kind": "state"}, *lines]), encoding="utf-8")
    assert beside.step_seconds(metrics) == pytest.approx(0.25)
    metrics.write_text(json.dumps(lines[0]) + "\n", encoding="utf-8")
    with pytest.raises(RunError, match="too few steps"):
        beside.step_seconds(metrics)


def test_the_trainings_compared_do_nothing_but_step() -> None:
    overrides = beside.PLAIN
    config = load_config("teacher", overrides=list(overrides))
    assert (config.training.int8, config.training.figures, config.data.probes) == (False, False, [])


@needs_terminal
def test_a_terminal_tells_when_a_text_came(tmp_path: Path) -> None:
    code = "import os; print(os.get_terminal_size(), end='!', flush=True); input()"
    terminal = Terminal([sys.executable, "-c", code], tmp_path, os.environ, size=(77, 22))
    try:
        assert terminal.seconds_until("columns=77, lines=22)!", 60.0)
    finally:
        terminal.close()
    assert terminal.process.returncode == -15


@needs_terminal
def test_a_program_that_ends_is_not_waited_for(tmp_path: Path) -> None:
    terminal = Terminal([sys.executable, "-c", "print('x')"], tmp_path, os.environ)
    assert terminal.seconds_until("y", 600.0) is None
    terminal.close()


def test_help_is_timed_to_its_end(tmp_path: Path) -> None:
    assert launch.seconds_to_end(["--version"], tmp_path) > 0.0


@pytest.mark.slow
@needs_terminal
def test_everything_measured_on_a_tiny_model(gpt_tui: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config("teacher", overrides=["model.n_layer=1", "model.n_embd=32", "training.batch_size=4",
                                               "training.micro_batch=null", "training.threads=1"])  # fmt: skip
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(dump_yaml(config.to_dict()), encoding="utf-8")
    monkeypatch.setattr(plan, "QUICK", plan.Extent((), 1, 0.0, 1, 1, 20, 1))
    found = gpt_tui("bench", "--quick", "--json", "--recipe", recipe).json
    assert list(found["training"]) == [str(recipe)]
    assert found["app"]["ratio"] > 0.0
    assert all(found["startup_seconds"][name] > 0.0 for name in ("help", "first_paint", "first_token"))
    assert found["generation"]["int8"]["decode"] > 0.0
