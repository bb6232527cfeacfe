"""What the estimates look up or measure: data as it lies or will be made, earlier runs, this machine's speed."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from core.config import Config, load_config
from core.events import Event, Started, Step
from gpt_tui.estimate_facts import gather, look_at_data, look_at_runs, measure_machine
from gpt_tui.estimates import Facts, estimate, guess_corpus, sample_key
from gpt_tui.step_cost import Corpus, Machine

from ..torch_team import TEAM, counts_teams, more_than, threads_before

TEACHER = load_config("teacher")
MACHINE = Machine({"fp32": 2e11, "bf16": 14.5e11}, 0.68e-9, "bf16")


def test_the_bundled_data() -> None:
    sample = look_at_data(TEACHER)
    assert sample is not None
    assert (sample.rows, sample.valid_rows, sample.plain) == (2718, 459, False)
    corpus = guess_corpus(TEACHER, sample)
    assert corpus.mean == pytest.approx(46.64, rel=0.2)  # counted with the recipe's own tokenizer, as is the share
    assert corpus.supervised == pytest.approx(0.62, rel=0.2)
    assert guess_corpus(TEACHER.update({"model.seq_len": 16}), sample).mean == 16
    assert guess_corpus(TEACHER.update({"tokenizer.kind": "char"}), sample).mean == pytest.approx(sample.row_chars + 2)


@pytest.mark.parametrize("recipe", ["reader", "reader-100m"])
def test_data_that_is_still_to_be_made(recipe: str, tmp_path: Path) -> None:
    """Its first rows are made for a look, questions on one passage joined as the training joins them."""
    from core.bench.steps import prepared_data

    config = load_config(recipe, overrides=["data.corpus_rows=1500", "data.corpus_valid=100"])
    sample = look_at_data(config)
    assert sample is not None
    guess = guess_corpus(config, sample)
    really = prepared_data(config, tmp_path).train
    tokens = int(really.lengths.sum())
    assert guess.rows == pytest.approx(len(really), rel=0.05)
    assert guess.mean == pytest.approx(tokens / len(really), rel=0.05)
    assert guess.supervised == pytest.approx(really.supervised_tokens / tokens, rel=0.2)
    assert guess.valid_rows == 100
    assert sample_key(config.update({"data.corpus_rows": 50_000})) != sample.key
    alone = config.update({"data.questions_together": 1})
    assert sample_key(alone) != sample.key
    assert guess_corpus(alone, look_at_data(alone) or sample).rows == 1500


def test_of_every_recipe_with_steps_the_time_is_known() -> None:
    """``gpt-tui bench --recipe reader-100m`` waited in vain for it: nothing was known of data still to be made."""
    for recipe in ("teacher", "reader", "reader-100m", "alpaca-tiny"):
        config = load_config(recipe, overrides=["training.max_steps=50"])
        found = estimate(config, Facts(look_at_data(config), MACHINE))
        assert found.seconds, recipe
        assert found.steps == 50


def test_other_forms_of_data(tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_text("鲸" * 10_000)
    plain = TEACHER.update({"data.train": str(text), "data.valid": None, "tokenizer.kind": "char"})
    sample = look_at_data(plain)
    assert sample is not None
    assert sample.plain
    corpus = guess_corpus(plain, sample)
    assert (corpus.rows, corpus.valid_rows, corpus.mean) == (70, 8, 128.0)
    texts = tmp_path / "texts.jsonl"
    texts.write_text("".join(json.dumps({"text": f"number {n}"}) + "\n" for n in range(300)))
    rows = TEACHER.update({"data.train": str(texts), "data.valid": None, "data.valid_fraction": 0.1})
    sample = look_at_data(rows)
    assert sample is not None
    corpus = guess_corpus(rows, sample)
    assert (corpus.rows, corpus.valid_rows) == (270, 30), "each text is a row by itself, and a tenth was held back"
    array = tmp_path / "a.json"
    array.write_text(json.dumps([{"prompt": "a", "completion": "b"}] * 50))
    listed = TEACHER.update({"data.train": str(array), "data.valid": None})
    sample = look_at_data(listed)
    assert sample is not None
    assert (sample.rows, sample.valid_rows) == (45, 5)
    long = tmp_path / "long.jsonl"
    long.write_text(json.dumps({"prompt": "a" * 500, "completion": "b"}) + "\n")
    with long.open("a") as file:
        file.write((json.dumps({"prompt": "a" * 500, "completion": "b"}) + "\n") * 5000)
    sample = look_at_data(TEACHER.update({"data.train": str(long), "data.valid": None}))
    assert sample is not None
    assert sample.rows + sample.valid_rows == pytest.approx(5001, rel=0.01)


@pytest.mark.parametrize("name", ["nowhere.jsonl", "a\0b", "~nobody/x", "empty.jsonl", "broken.jsonl", "folder"])
def test_data_that_cannot_be_read_is_no_error_here(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "broken.jsonl").write_text("{")
    (tmp_path / "folder").mkdir()
    config = TEACHER.update({"data.train": name})
    assert look_at_data(config) is None
    assert estimate(config, Facts(machine=MACHINE)).seconds is None


def write_run(folder: Path, events: list[Event], config: Config = TEACHER) -> None:
    from core.config import to_yaml

    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(to_yaml(config.to_dict()), encoding="utf-8")
    lines = [json.dumps(event.to_json()) for event in events]
    (folder / "metrics.jsonl").write_text("\n".join(lines) + '\n{"kind": "st', encoding="utf-8")


def started(**data: Any) -> Started:
    parts = {"train": {"rows": 2400, "tokens": 79800, "supervised_tokens": 47880}, "valid": {"rows": 459}, **data}
    return Started("r", "r", "teacher", 0, "cpu", 2, "bf16", 3566848, 2048, 300, None, parts)


def step(number: int, elapsed: float, tokens: int) -> Step:
    return Step(number, 1.0, 1e-3, 1.0, 9e9, elapsed, None, tokens=tokens)


def test_earlier_runs_are_read_from_their_files(tmp_path: Path) -> None:
    many = [step(n, n * 0.1, n * 1000) for n in range(1, 4000)]
    write_run(tmp_path / "long", [started(), *many])
    write_run(tmp_path / "short", [started(), step(5, 0.5, 5000)])
    write_run(tmp_path / "odd", [started(train=[]), *many[:100]])
    write_run(tmp_path / "headless", many[:100])
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "metrics.jsonl").write_text("")
    (tmp_path / "damaged" / "config.yaml").write_text("model: 3")
    for number, train in enumerate(([1], {"rows": "x", "tokens": 5}, {"rows": 10**400, "tokens": 1}, {"rows": [2]})):
        write_run(tmp_path / f"hostile-{number}", [started(train=train), *many[:100]])
    (run,) = look_at_runs(tmp_path)
    assert (run.name, run.vocab, run.dtype, run.threads) == ("long", 2048, "bf16", 2)
    assert run.seconds_per_token == pytest.approx(1e-4)
    assert run.corpus == Corpus(2400, 33.25, 0.6, 459, counted=True)
    assert estimate(TEACHER, Facts(runs=(run,), threads=2, machine=MACHINE)).source == "run"
    assert look_at_runs(tmp_path / "nowhere") == []


def test_the_machine_is_measured_only_if_nothing_else_is_known(tmp_path: Path) -> None:
    asked: list[int | None] = []

    def measure(threads: int | None) -> Machine:
        asked.append(threads)
        return MACHINE

    first, second = gather(TEACHER, Facts(threads=2), tmp_path, measure)
    assert (first.machine, second.machine, asked) == (None, MACHINE, [None])
    assert first.sample is not None
    (again,) = gather(TEACHER, second, tmp_path, measure)
    assert again.machine is MACHINE
    (busy,) = gather(TEACHER, Facts(), tmp_path, None)
    assert busy.machine is None
    write_run(tmp_path / "before", [started(), step(100, 10.0, 100_000)])
    (known_now,) = gather(TEACHER.update({"training.dtype": "bf16"}), Facts(threads=2), tmp_path, measure)
    assert (len(known_now.runs), asked) == (1, [None])


def test_a_slow_first_moment_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that have just begun may share one core: a quarter of all estimates were twice too long."""
    taken = itertools.chain([2.0, 2.0, 2.0], itertools.repeat(1.0))
    monkeypatch.setattr("gpt_tui.estimate_facts._fastest", lambda work: next(taken))
    machine = measure_machine(1)
    assert machine.flops == {"fp32": 2.0 * 512 * 256 * 1024, "bf16": 2.0 * 512 * 256 * 1024}
    assert machine.element * 512 * 1024 == 1.0


def test_without_products_in_bf16_those_in_fp32_count(monkeypatch: pytest.MonkeyPatch) -> None:
    product = torch.mm

    def only_fp32(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        if a.dtype == torch.bfloat16:
            raise RuntimeError("not implemented for 'BFloat16'")
        return product(a, b)

    monkeypatch.setattr("torch.mm", only_fp32)
    machine = measure_machine(1)
    assert machine.flops["bf16"] == machine.flops["fp32"] > 1e6


def test_measuring_gives_numbers() -> None:
    machine = measure_machine(1)
    assert set(machine.flops) == {"fp32", "bf16"}
    assert all(math.isfinite(rate) and rate > 1e6 for rate in machine.flops.values())
    assert 0 < machine.element < 1e-3
    assert machine.fast in ("fp32", "bf16")


@counts_teams
def test_measuring_leaves_no_threads_behind() -> None:
    """A training that begins afterwards would take a third longer."""
    before = threads_before()
    with ThreadPoolExecutor(1) as lives_on:
        lives_on.submit(measure_machine, TEAM).result(60)
        assert more_than(before, 1) == 1


def test_estimating_needs_no_torch() -> None:
    code = (
        "import sys, gpt_tui.panes.config; from core.config import load_config; from pathlib import Path;"
        "from gpt_tui.estimates import *; from gpt_tui.estimate_facts import *; c = load_config('teacher');"
        "list(gather(c, Facts(), Path('runs'), None)); estimate(c, Facts());"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
