"""Instruction tuning from the command line: a GPT-2-shaped run, tuned by the recipe, asked with an input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]

#: GPT-2's parts, small; on one thread, in fp32.
SHAPE = [
    f"--set={item}"
    for item in (
        "model.n_layer=2", "model.n_head=2", "model.n_embd=32", "model.seq_len=256", "model.norm=layernorm",
        "model.norm_eps=1e-5", "model.mlp=gelu", "model.position=learned", "model.tie_embeddings=true",
    )
]  # fmt: skip
QUICK = ["--set=training.threads=1", "--set=training.dtype=fp32", "--set=sampling.max_new_tokens=4",
         "--set=training.int8=false", "--set=training.figures=false"]  # fmt: skip


@pytest.fixture
def base(gpt_tui: Cli) -> None:
    """A run called ``base``, whose settings know nothing of instructions."""
    done = gpt_tui("--no-ui", "train", "--recipe", "pretrain-quick", "--run", "base", "--steps", 1, *SHAPE, *QUICK,
                   "--set", "tokenizer.vocab_size=300")  # fmt: skip
    assert (done.code, done.err) == (0, "")


def test_alpaca_without_a_model_says_what_to_do_in_one_line(gpt_tui: Cli) -> None:
    done = gpt_tui("--no-ui", "train", "--recipe", "alpaca", "--run", "a")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "gpt-tui: alpaca tunes a model that is trained already; name one with --from RUN (training.start_from), such "
        "as GPT-2 after: gpt-tui import gpt2 124M; alpaca-tiny begins with a fresh one\n"
    )
    assert not Path("runs/a").exists()


def test_alpaca_tunes_a_run_of_gpt2s_shape(gpt_tui: Cli, base: None, tmp_path: Path) -> None:
    rows = [{"instruction": f"Say {word}.", "input": "twice" * (i % 2), "output": word}
            for i, word in enumerate(["one", "two", "three", "four", "five"] * 6)]  # fmt: skip
    data = tmp_path / "mine.json"
    data.write_text(json.dumps(rows), encoding="utf-8")
    done = gpt_tui("--no-ui", "train", "--recipe", "alpaca", "--from", "base", "--data", data, "--run", "tuned",
                   "--steps", 2, *QUICK, "--set", "lora.rank=2", "--set", "data.test_fraction=0.2")  # fmt: skip
    assert (done.code, done.err) == (0, "")
    assert "beginning with the weights of base, step-00000001 (step 1)" in done.out
    assert "LoRA of rank 2 on qkv, proj in 2 of 2 blocks: 768 parameters learn" in done.out
    file = Path("runs/tuned/responses.json")
    found = json.loads(file.read_text("utf-8"))
    assert f"test: {len(found)} answers in {file}, " in done.out
    assert {(row["instruction"], row["expected"]) for row in found} <= {(r["instruction"], r["output"]) for r in rows}
    shown = gpt_tui("runs", "show", "tuned").out
    assert f"test: {len(found)} answers in {file}, " in shown
    assert gpt_tui("runs", "show", "tuned", "--json").json["report"]["settings"]["training"]["lr"] == 5e-5


def test_ask_puts_the_input_where_training_had_it(gpt_tui: Cli, base: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from core import generate
    from core.runs import load_run

    prompts: list[list[int]] = []
    stream = generate.stream

    def spy(model: Any, tokenizer: Any, prompt: list[int], *rest: Any, **named: Any) -> Any:
        prompts.append(prompt)
        return stream(model, tokenizer, prompt, *rest, **named)

    monkeypatch.setattr(generate, "stream", spy)
    train = ["--no-ui", "train", "--from", "base", "--run", "tuned", "--steps", 1]
    form = ["--set", "data.template=alpaca", "--set", "data.train=instructions/bilingual.jsonl"]
    assert gpt_tui(*train, *form, *QUICK).code == 0
    prompts.clear()
    asked = ["ask", "Translate into Chinese.", "--run", "tuned", "--max-new-tokens", 2]
    assert gpt_tui(*asked, "--input", " Good morning.\n").code == 0
    assert gpt_tui(*asked, "--input", "Good morning.", "--json").code == 0
    assert gpt_tui(*asked).code == 0
    texts = [load_run("tuned").tokenizer.decode(prompt) for prompt in prompts]
    end = "### Instruction:\nTranslate into Chinese.\n\n"
    assert texts[0] == texts[1]
    assert texts[0].endswith(end + "### Input:\nGood morning.\n\n### Response:\n")
    assert texts[2].endswith(end + "### Response:\n")


def test_params_says_how_much_learns(gpt_tui: Cli) -> None:
    whole = gpt_tui("params", "--recipe", "alpaca", "--json").json
    assert whole["total"] == whole["learning"] == 124_439_808
    small = gpt_tui("params", "--recipe", "alpaca", "--set", "lora.rank=8", "--json").json
    # in 12 blocks 8 columns for qkv (768 to 2,304) and proj (768 to 768)
    assert small["learning"] == 12 * 8 * (768 + 2304 + 768 + 768) == 442_368
    assert small["bytes"]["adam_fp32"] == 8 * 442_368
    assert "learning" in gpt_tui("params", "--recipe", "alpaca", "--set", "training.trainable_blocks=2").out


def test_doctor_reads_the_bundled_instructions(gpt_tui: Cli) -> None:
    out = gpt_tui("doctor", "instructions/bilingual.jsonl", "--recipe", "alpaca-tiny").out
    assert "  0 exact duplicates" in out
    assert "  0 questions with more than one answer" in out
    assert "  0 rows left out" in out
