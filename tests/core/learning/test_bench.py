"""What ``gpt-tui bench`` measures of the engine: the arithmetic and the shape of the results, never the speed."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from core.bench import answers, child, matmul, steps
from core.errors import RunError
from core.quantize import Int8Linear
from core.recorder import Recorder
from core.yamlio import dump_yaml


class FakeTime:
    """A clock that goes on by ``tick`` seconds whenever it is looked at."""

    def __init__(self, tick: float) -> None:
        self.now, self.tick = 0.0, tick

    def perf_counter(self) -> float:
        self.now += self.tick
        return self.now


def test_a_product_costs_two_operations_for_each_of_its_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matmul, "time", FakeTime(0.5))
    assert matmul.shape_rate((2, 3, 5), torch.float32) == 2 * 2 * 3 * 5 / 0.5
    assert matmul.peak_rate(torch.bfloat16, ((1, 1, 1), (2, 2, 2))) == 16 / 0.5


def test_a_clock_charges_what_has_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "time", FakeTime(1.0))
    clock = steps.Clock()
    for part in ("data", "forward", "forward"):
        clock.charge(part)
    assert clock.seconds == {"data": 1.0, "forward": 2.0, "backward": 0.0, "optimizer": 0.0, "logging": 0.0}
    clock.start()
    assert sum(clock.seconds.values()) == 0.0


def test_mfu_is_six_operations_a_parameter_and_token() -> None:
    assert steps.model_flops_utilization(1_000_000, 500.0, 6e9) == pytest.approx(0.5)


def test_the_clock_does_not_change_the_training(lab: Any) -> None:
    """The same losses in metrics.jsonl as a training writes by itself."""
    lab.train({"training.lr": 1e-3, "training.min_lr": 1e-3, "training.warmup_ratio": 0.0, "training.max_steps": 5})
    own = [json.loads(line) for line in lab.run().metrics.read_text("utf-8").splitlines()]
    config = lab.config({"training.lr": 1e-3})
    trainer = steps.ready_trainer(config, lab.run("bench"), steps.prepared_data(config, lab.folder))
    lab.run("bench").path.mkdir()
    with Recorder(lab.run("bench")) as recorder:
        steps.measure_steps(trainer, recorder, steps=3, warm=2)
    timed = [json.loads(line) for line in lab.run("bench").metrics.read_text("utf-8").splitlines()]
    norms = [line["grad_norm"] for line in own if line["kind"] == "step"]
    assert len(norms) == 5
    assert [line["grad_norm"] for line in timed] == norms


def test_what_is_measured_beside_has_its_turns_among_the_steps_that_count(lab: Any) -> None:
    trainer = steps.ready_trainer(lab.config(), lab.run("bench"), steps.prepared_data(lab.config(), lab.folder))
    lab.run("bench").path.mkdir()
    at: list[int] = []
    with Recorder(lab.run("bench")) as recorder:
        steps.measure_steps(trainer, recorder, steps=16, warm=3, between=lambda: at.append(trainer.progress.step))
    assert at == list(range(3, 19, 16 // steps.TURNS))


@pytest.mark.parametrize("prompt_loss", [0.0, 0.3])
def test_a_training_measured(lab: Any, prompt_loss: float) -> None:
    config = lab.config({"training.micro_batch": 2, "training.prompt_loss": prompt_loss})
    found = steps.measure_training(config, lab.folder, lab.folder, steps=2, warm=1, shapes=((8, 8, 8),))
    assert json.loads(json.dumps(found)) == found
    assert set(found["parts"]) == set(steps.PARTS)
    assert all(seconds > 0.0 for seconds in found["parts"].values())
    assert found["mfu"] == pytest.approx(
        6 * found["parameters"] * found["tokens_per_second"] / (1e9 * found["peak_gflops"])
    )
    assert 0.0 <= found["padding_share"] < 1.0
    assert found["peak_memory_bytes"] > 1_000_000
    assert (found["steps"], found["dtype"], found["threads"]) == (2, "fp32", 1)


def test_answers_measured_in_three_formats(lab: Any) -> None:
    before = torch.get_num_threads()
    found = answers.measure_answers(lab.config(), lab.folder, rounds=1)
    torch.set_num_threads(before)
    assert json.loads(json.dumps(found)) == found
    assert found["prompt_tokens"] == found["new_tokens"] == 32
    assert all(found[form][rate] > 0.0 for form in answers.FORMATS for rate in ("prefill", "decode"))


def test_the_models_are_in_their_format(lab: Any) -> None:
    made = {form: answers.model_in(form, lab.config(), 300) for form in answers.FORMATS}
    assert {p.dtype for p in made["fp32"].parameters()} == {torch.float32}
    assert {p.dtype for p in made["bf16"].parameters()} == {torch.bfloat16}
    assert any(isinstance(module, Int8Linear) for module in made["int8"].modules())
    assert not any(model.training for model in made.values())


def test_an_answer_is_as_long_as_asked(lab: Any) -> None:
    tokenizer = steps.prepared_data(lab.config(), lab.folder).tokenizer
    model = answers.model_in("fp32", lab.config(), tokenizer.vocab_size)
    prompt = answers.prompt_ids(lab.config(), tokenizer.vocab_size, 7)
    assert not set(prompt) & tokenizer.special
    answer = answers.timed_answer(model, tokenizer, prompt, 9)
    assert (answer.prompt_tokens, answer.tokens, answer.stop_reason) == (7, 9, "length")


def test_a_made_corpus_is_measured_on_a_small_one() -> None:
    assert child.bench_config("reader").data.corpus_rows == child.CORPUS_ROWS
    assert child.bench_config("teacher").data.train == "teacher/train.jsonl"


def test_a_failing_child_says_why() -> None:
    with pytest.raises(RunError, match="techer") as caught:
        child.measure({"kind": "training", "recipe": "techer", "cache": "."})
    assert "Traceback" not in str(caught.value)


@pytest.mark.slow
def test_a_child_measures(lab: Any) -> None:
    recipe = lab.folder / "tiny.yaml"
    recipe.write_text(dump_yaml(lab.config().to_dict()), encoding="utf-8")
    task = {"recipe": str(recipe), "folder": str(lab.folder), "cache": str(lab.folder)}
    found = child.measure(task | {"kind": "training", "steps": 2, "warm": 1})
    assert found["steps"] == 2
    assert child.measure(task | {"kind": "answers", "rounds": 1})["new_tokens"] == 32
