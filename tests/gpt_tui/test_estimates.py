"""What settings will cost: counts against the model itself, memory and time against what was measured."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from core.config import Config, load_config
from core.schema import ModelConfig
from gpt_tui import step_cost
from gpt_tui.estimates import Facts, KnownRun, Sample, _data_key, bytes_per_token, estimate, sample_key
from gpt_tui.step_cost import Corpus, Machine, count_parameters, dtype_of, memory, step_flops, step_seconds

TEACHER = load_config("teacher")
STEPS = TEACHER.training.max_steps or 0
MACHINE = Machine({"fp32": 2e11, "bf16": 14.5e11}, 0.68e-9, "bf16")
"""The processor on which the steps below were measured, one thread."""
CORPUS = Corpus(2400, 33.25, 0.6, 459, counted=True)


def test_constants_are_those_of_the_engine() -> None:
    from core import model, optim, prompt_loss

    assert step_cost.STREAMED_FROM == optim.STREAMED_FROM
    assert step_cost.COUNTED == prompt_loss.COUNTED
    engine = {str(dtype): places for dtype, places in model.PLAIN_ATTENTION_UP_TO.items()}
    assert {"bf16": engine["torch.bfloat16"], "fp32": engine["torch.float32"]} == step_cost.PLAIN_ATTENTION_UP_TO


def known(config: Config = TEACHER, **changes: Any) -> KnownRun:
    return replace(KnownRun("before", config, 2048, "bf16", 1e-4, CORPUS, 2), **changes)


def facts(*runs: KnownRun, machine: Machine | None = MACHINE) -> Facts:
    return Facts(Sample(sample_key(TEACHER), 2400, 132.5, 50.0, 0.65, 459), machine, runs, threads=2)


@pytest.mark.parametrize(("norm", "mlp"), itertools.product(["rmsnorm", "layernorm", "scalenorm"], ["gelu", "swiglu"]))
def test_parameters_are_those_of_the_model(norm: Any, mlp: Any) -> None:
    from core.skeleton import count_parameters as really

    for position, bias, qkv, tied, kv in itertools.product(
        ["rope", "learned"], [True, False], [None, True, False], [True, False], [None, 2]
    ):
        config = ModelConfig(
            norm=norm, mlp=mlp, position=position, bias=bias, qkv_bias=qkv, tie_embeddings=tied, n_kv_head=kv,  # type: ignore[arg-type]
            mlp_hidden=100 if kv else None, n_layer=2, n_embd=64, head_dim=24 if bias else None,
        )  # fmt: skip
        assert count_parameters(config, 777) == really(config, 777)


@pytest.mark.parametrize(
    ("model", "vocab", "total"),
    [
        ({"n_layer": 2, "n_embd": 64, "tie_embeddings": False, "position": "learned", "norm": "layernorm",
          "qkv_bias": False}, 50257, 6540800),
        ({"n_layer": 12, "n_head": 12, "n_embd": 768, "seq_len": 1024, "norm": "layernorm", "position": "learned",
          "mlp": "gelu"}, 50257, 124439808),
    ],
)  # fmt: skip
def test_published_counts(model: dict[str, Any], vocab: int, total: int) -> None:
    assert sum(count_parameters(ModelConfig(**model), vocab).values()) == total


LARGE = {"n_embd": 768, "n_layer": 12, "n_head": 12, "mlp": "swiglu", "bias": False}

#: Measured with core.model and core.optim: peak of the process in MB (60 of them would be the app's), and seconds
#: of the fastest step. Dropout, vocabulary, rows, tokens a row, share supervised, format.
MEASURED: list[tuple[dict[str, Any], int, int, int, float, str, float, float]] = [
    ({"dropout": 0.1}, 2048, 32, 48, 0.4, "fp32", 669, 0.330),
    ({"dropout": 0.1}, 2048, 32, 128, 0.4, "fp32", 1263, 0.929),
    ({}, 2048, 32, 128, 0.4, "fp32", 1108, 0.792),
    ({"mlp": "swiglu"}, 2048, 32, 128, 0.4, "fp32", 1286, 1.204),
    ({"n_embd": 64, "n_layer": 2, "seq_len": 256}, 500, 32, 256, 1.0, "fp32", 563, 0.165),
    ({"n_embd": 384, "n_layer": 6, "n_head": 6, "seq_len": 256}, 1000, 16, 256, 1.0, "fp32", 1782, 2.634),
    ({"n_embd": 128, "seq_len": 512}, 1000, 16, 512, 1.0, "fp32", 1031, 0.848),
    ({}, 20000, 32, 128, 1.0, "fp32", 2133, 3.207),
    (LARGE, 1278, 8, 110, 0.4, "fp32", 3551, 4.717),
    ({"dropout": 0.1}, 2048, 32, 48, 0.4, "bf16", 592, 0.163),
    ({"dropout": 0.1}, 2048, 32, 128, 0.4, "bf16", 987, 0.475),
    ({}, 2048, 32, 128, 0.4, "bf16", 899, 0.365),
    ({"n_embd": 384, "n_layer": 6, "n_head": 6, "seq_len": 256}, 1000, 16, 256, 1.0, "bf16", 1562, 0.887),
    ({}, 20000, 32, 128, 1.0, "bf16", 1918, 1.399),
    (LARGE, 1278, 8, 110, 0.4, "bf16", 3301, 1.933),
]  # fmt: skip


@pytest.mark.parametrize("case", MEASURED, ids=lambda case: f"{case[5]}-{case[2]}x{case[3]}-{case[0]}")
def test_memory_and_time_as_measured(case: tuple[dict[str, Any], int, int, int, float, str, float, float]) -> None:
    model, vocab, rows, length, supervised, dtype, megabytes, seconds = case
    config = Config().update({"training.batch_size": rows, **{f"model.{key}": value for key, value in model.items()}})
    guess = memory(config, vocab, length, supervised, dtype).total / 1e6
    assert guess == pytest.approx(megabytes + 60, rel=0.18)
    corpus = Corpus(1000, length, supervised)
    assert step_seconds(config, vocab, corpus, MACHINE, dtype) == pytest.approx(seconds, rel=0.25)


def test_estimates_move_with_the_settings() -> None:
    base = estimate(TEACHER, facts())
    assert base.parameters == 3566848
    assert (base.steps, base.places) == (STEPS, 4096)
    assert base.source == "machine"
    assert base.seconds is not None
    assert base.tokens is not None
    wide = estimate(TEACHER.update({"model.n_embd": 512}), facts())
    assert wide.parameters > base.parameters
    assert wide.memory.total > base.memory.total
    assert wide.seconds is not None
    assert wide.seconds > base.seconds
    longer = estimate(TEACHER.update({"training.max_steps": 2 * STEPS}), facts())
    assert longer.seconds == pytest.approx(2 * base.seconds)
    assert longer.epochs == pytest.approx(2 * base.epochs)  # type: ignore[operator]
    small, large = (estimate(TEACHER.update({"training.micro_batch": rows}), facts()) for rows in (4, 32))
    assert small.memory.activations < large.memory.activations / 7
    assert small.tokens == large.tokens


def test_muon_remembers_less_and_takes_longer() -> None:
    muon, adamw = (estimate(TEACHER.update({"training.optimizer": name}), facts()) for name in ("muon", "adamw"))
    parts = count_parameters(TEACHER.model, TEACHER.tokenizer.vocab_size)
    assert adamw.memory.optimizer - muon.memory.optimizer == 4.0 * (parts["attention"] + parts["mlp"])
    assert muon.seconds is not None and adamw.seconds is not None
    assert 1.02 < muon.seconds / adamw.seconds < 2.0


def test_without_facts_only_what_is_certain() -> None:
    bare = estimate(TEACHER, Facts())
    assert (bare.tokens, bare.seconds, bare.source, bare.epochs) == (None, None, "", None)
    assert (bare.steps, bare.places) == (STEPS, 4096)
    assert estimate(TEACHER.update({"training.max_minutes": 2.0}), Facts()).seconds == 120.0


def test_a_time_budget() -> None:
    run = known(seconds_per_token=1e-3)  # 1.06 s a step
    both = estimate(TEACHER.update({"training.max_minutes": 1.0}), facts(run))
    assert (both.seconds, both.source, both.steps) == (60.0, "budget", 56)
    only = estimate(TEACHER.update({"training.max_minutes": 1.0, "training.max_steps": None}), facts(run))
    assert (only.seconds, only.steps) == (60.0, 56)
    assert only.epochs == pytest.approx(56 * 32 / 2400)
    long = estimate(TEACHER.update({"training.max_minutes": 60.0}), facts(run))
    assert (long.source, long.steps) == ("run", STEPS)


def test_epochs_become_steps() -> None:
    config = TEACHER.update({"training.max_steps": None, "training.max_epochs": 2.0})
    found = estimate(config, facts(known(config)))
    assert (found.steps, found.epochs) == (150, 2.0)
    assert estimate(config, Facts()).epochs == 2.0


def test_an_earlier_run_of_the_same_size_says_how_fast() -> None:
    found = estimate(TEACHER, facts(known()))
    assert (found.source, found.run) == ("run", "before")
    assert found.tokens == 32 * 33.25
    assert found.seconds == pytest.approx(STEPS * 32 * 33.25 * 1e-4)
    # other steps, other learning rate, another dropout above 0: still as fast
    before = TEACHER.update({"model.dropout": 0.1})
    same = TEACHER.update({"training.max_steps": 10, "training.lr": 0.1, "model.dropout": 0.2})
    assert estimate(same, facts(known(before))).source == "run"
    # dropout at all, other width: in proportion to the work
    assert estimate(same, facts(known())).source == "scaled"
    wide = estimate(TEACHER.update({"model.n_embd": 320, "model.n_head": 5}), facts(known()))
    assert (wide.source, wide.run) == ("scaled", "before")
    assert wide.seconds is not None
    assert found.seconds * 1.2 < wide.seconds < found.seconds * 2
    # far too different, or computed otherwise: the machine is asked
    for other in ({"model.n_embd": 1024}, {"training.dtype": "fp32"}, {"training.threads": 1}):
        assert estimate(TEACHER.update(other), facts(known())).source == "machine"
    assert estimate(TEACHER.update({"training.device": "cuda"}), facts(known())).source == ""


def test_a_run_on_a_smaller_corpus_tells_nothing_of_a_larger_one() -> None:
    """After one on 600 rows, 2,000 steps on 100,000 were to be 159 epochs."""
    small = TEACHER.update({"data.train": "reader/train.jsonl", "data.corpus_rows": 600})
    found = estimate(small, facts(known(small)))
    assert found.epochs == pytest.approx(STEPS * TEACHER.training.batch_size / CORPUS.rows)
    assert estimate(small.update({"data.corpus_rows": 100_000}), facts(known(small))).epochs is None


def test_a_small_text_gives_a_small_vocabulary() -> None:
    found = estimate(TEACHER.update({"tokenizer.vocab_size": 8000}), facts())
    assert found.parts["embedding"] == 8000 * 256
    config = TEACHER.update({"tokenizer.vocab_size": 8000})
    assert estimate(config, facts(known(config, vocab=7100))).parts["embedding"] == 7100 * 256


def test_number_format() -> None:
    assert dtype_of(TEACHER, MACHINE) == "bf16"
    assert dtype_of(TEACHER, None) == "fp32"
    assert dtype_of(TEACHER.update({"training.dtype": "fp32"}), MACHINE) == "fp32"
    assert dtype_of(TEACHER.update({"training.device": "cuda"}), MACHINE) == "fp32"
    assert dtype_of(TEACHER.update({"training.device": "auto"}), MACHINE) == "bf16"
    assert dtype_of(TEACHER.update({"training.device": "auto"}), replace(MACHINE, device="cuda")) == "fp32"


def test_bytes_of_a_token() -> None:
    """The bundled corpus and the program's own source, as measured with their tokenizers."""
    for vocab, measured in ((300, 1.4), (512, 2.13), (1024, 2.95), (2048, 3.75)):
        assert bytes_per_token(vocab) == pytest.approx(measured, rel=0.2)
    assert bytes_per_token(200_000) == 4.6


# -- tuning -------------------------------------------------------------------------------------------------------


def test_what_is_frozen_costs_only_what_is_computed_with() -> None:
    config = load_config("alpaca")
    whole = memory(config, 50257, 256, 0.3, "bf16")
    lora = memory(config.update({"lora.rank": 8}), 50257, 256, 0.3, "bf16")
    assert (lora.weights, lora.optimizer) == (2 * 124_439_808 + 6 * 442_368, 8 * 442_368)
    assert whole.optimizer == 8 * 124_439_808
    assert lora.activations == whole.activations


def test_checkpointing_and_frozen_blocks_keep_less_and_take_the_time_that_was_measured() -> None:
    """Relative to all of it, 6 blocks of width 384, 8 rows of 160 tokens, bf16: what a step took (docs)."""
    base = load_config("alpaca").update(
        {"model.n_layer": 6, "model.n_embd": 384, "model.n_head": 6, "training.gradient_checkpointing": False}
    )
    measured: list[tuple[dict[str, Any], float]] = [
        ({"training.gradient_checkpointing": True}, 1.34),
        ({"training.trainable_blocks": 2}, 0.59),
        ({"lora.rank": 8}, 0.71),
        ({"lora.rank": 8, "training.trainable_blocks": 2}, 0.45),
    ]
    whole = step_flops(base, 8000, 1280, 160, 0.3)
    for changes, took in measured:
        config = base.update(changes)
        assert step_flops(config, 8000, 1280, 160, 0.3) / whole == pytest.approx(took, rel=0.1)
        if "lora.rank" not in changes:
            kept = memory(config, 8000, 160, 0.3, "bf16").activations
            assert kept < memory(base, 8000, 160, 0.3, "bf16").activations


@pytest.mark.parametrize("change", [{"data.valid_fraction": 0.5}, {"data.test_fraction": 0.4}, {"data.leaks": "keep"},
                                    {"training.start_from": "other"}])  # fmt: skip
def test_another_split_is_other_data(change: dict[str, Any]) -> None:
    config = TEACHER.update({"data.valid": None})
    assert _data_key(config) != _data_key(config.update(change))
