"""Each comparison of ``benchmarks/`` runs to its end on the smallest of shapes and compares what it says."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """``benchmarks`` lies beside the packages and is not installed."""
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def run(name: str, capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    importlib.import_module(f"benchmarks.{name}").main(["--tiny", "--json", *arguments])
    return json.loads(capsys.readouterr().out)


def both_ran(found: Any, *others: str, less: bool = False) -> None:
    own, *rest = found["sides"]
    assert rest == list(others)
    assert all(figure > 0.0 for figure in found["sides"].values())
    better = {name: found["sides"][own] / found["sides"][name] for name in rest}
    assert found["ratios"] == pytest.approx({name: 1.0 / ratio for name, ratio in better.items()} if less else better)


@pytest.mark.parametrize("recipe", ["teacher", pytest.param("reader", marks=pytest.mark.slow),
                                    pytest.param("reader-100m", marks=pytest.mark.slow)])  # fmt: skip
def test_seed_loop(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    both_ran(run("seed_loop", capsys, "--recipe", recipe), "plain loop")


def test_seed_loop_on_the_same_rows(capsys: pytest.CaptureFixture[str]) -> None:
    both_ran(run("seed_loop", capsys, "--recipe", "reader", "--together", "2", "--rows", "4"), "plain loop")


def test_joined_rows_are_found_again_by_themselves(tmp_path: Path) -> None:
    common = importlib.import_module("benchmarks.common")
    config = common.config_of("reader", common.options(None, arguments=["--tiny"]))
    config = config.update({"data.questions_together": 4})
    joined = common.training_data(config, tmp_path)
    _, single = common.alone(config, joined, tmp_path)
    assert int(common.branches_in(joined.train).sum()) == len(single.train)
    rows, alone = next(common.full_rows(joined, 4, 8))
    assert (len(rows), len(alone)) == (2, 8)
    assert common.tokens_alone(joined.train)[rows].sum() == common.tokens_alone(single.train)[alone].sum()


def test_nanogpt_loop(capsys: pytest.CaptureFixture[str]) -> None:
    both_ran(run("nanogpt_loop", capsys), "nanoGPT's loop")


def test_nanogpt_loss(capsys: pytest.CaptureFixture[str]) -> None:
    both_ran(run("nanogpt_loss", capsys), "gpt-tui, learned positions", "nanoGPT's loop", less=True)


def test_batched_eval(capsys: pytest.CaptureFixture[str]) -> None:
    found = run("batched_eval", capsys)
    assert found["ratios"]["one by one"] == pytest.approx(
        found["sides"]["one by one"] / found["sides"]["in batches"]
    ), "seconds: less is better"


@pytest.mark.slow
def test_hf_trainer(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("transformers")
    both_ran(run("hf_trainer", capsys), "transformers, as Trainer", "transformers, by hand")


@pytest.mark.slow
def test_hf_generate(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("transformers")
    both_ran(run("hf_generate", capsys), "transformers.generate")


@pytest.mark.slow
def test_llama_cpp(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("llama_cpp", "gguf", "core.interop.gguf_export"):
        pytest.importorskip(name)
    both_ran(run("llama_cpp", capsys), "llama.cpp F32")


@pytest.mark.slow
def test_corpus(capsys: pytest.CaptureFixture[str]) -> None:
    found = run("corpus", capsys)
    fewer, again, more, once_more = (one["rows"] for one in found.values())  # of up to six questions
    assert 20 / 6 <= fewer == again < more == once_more <= 40
    assert all(one["seconds"] > 0.0 for one in found.values())


def test_the_plain_loops_learn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is compared is a training: the loss of a few rows falls."""
    common = importlib.import_module("benchmarks.common")
    chosen = common.options(None, arguments=["--tiny"])
    config = common.config_of("teacher", chosen)
    prepared = common.training_data(config, tmp_path)
    for name, model in (("seed_loop", "PlainGPT"), ("nanogpt_loop", "FusedGPT")):
        network = getattr(importlib.import_module(f"benchmarks.{name}"), model)
        torch.manual_seed(0)
        gpt = network(config.model, prepared.tokenizer.vocab_size)
        inputs, targets, _real = common.padded(prepared, next(common.batches_of(prepared, 4)))
        optimizer = torch.optim.AdamW(gpt.parameters(), lr=3e-2)
        losses = []
        for _ in range(12):
            loss = torch.nn.functional.cross_entropy(gpt(inputs).flatten(0, 1), targets.flatten(), ignore_index=-100)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        assert losses[-1] < 0.7 * losses[0]


def test_rows_are_padded_and_shifted(tmp_path: Path) -> None:
    common = importlib.import_module("benchmarks.common")
    config = common.config_of("teacher", common.options(None, arguments=["--tiny"]))
    prepared = common.training_data(config, tmp_path)
    data = prepared.train
    inputs, targets, real = common.padded(prepared, next(common.batches_of(prepared, 3)), 128)
    assert tuple(inputs.shape) == tuple(targets.shape) == (3, 128)
    assert real == int((inputs != prepared.tokenizer.pad).sum())
    learnt = targets[:, :-1] != -100
    assert torch.equal(targets[:, :-1][learnt & (inputs[:, 1:] != prepared.tokenizer.pad)],
                       inputs[:, 1:][learnt & (inputs[:, 1:] != prepared.tokenizer.pad)])  # fmt: skip
    assert len(data)
    assert "benchmarks.common" in sys.modules
