"""The schema: every setting explained, bounded, and converted from nothing else."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from core.schema import DataConfig, ModelConfig, SamplingConfig, Settings, TokenizerConfig, TrainingConfig
from core.settings import settings


def refusal(section: type, **values: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        section(**values)
    return str(caught.value)


def test_every_setting_has_help_and_one_sentence_of_it() -> None:
    for key, setting in settings().items():
        assert setting.help.endswith("."), key
        assert setting.help[0].isupper() or not setting.help[0].isalpha(), key


def test_every_number_has_a_lower_bound() -> None:
    numbers = [setting for setting in settings().values() if setting.kind in ("int", "float")]
    assert len(numbers) > 30
    assert [setting.key for setting in numbers if setting.low is None] == []


def test_the_defaults_are_within_their_bounds() -> None:
    for key, setting in settings().items():
        if setting.kind in ("int", "float") and setting.default is not None:
            assert setting.low is not None
            assert setting.low < setting.default or (setting.low == setting.default and not setting.open_low), key
            assert setting.high is None or setting.default <= setting.high, key
        if setting.default is None:
            assert setting.optional, key
        if setting.kind == "choice":
            assert setting.default in setting.choices, key


def test_nothing_written_is_empty_where_a_setting_may_be() -> None:
    assert DataConfig.model_validate({"valid": "", "start_context": ""}).valid is None
    assert SamplingConfig.model_validate({"top_k": ""}).top_k is None
    with pytest.raises(ValidationError):
        DataConfig.model_validate({"train": ""})
    with pytest.raises(ValidationError):
        SamplingConfig.model_validate({"temperature": ""})


def test_what_may_change_during_a_run() -> None:
    assert {key for key, setting in settings().items() if setting.live} == {
        "training.lr", "training.min_lr", "training.max_steps", "training.max_minutes",
        "training.eval_interval", "training.log_interval", "training.save_interval",
    }  # fmt: skip


def test_an_answer_may_be_one_token_long() -> None:
    """Fault 12: a minimum of 5 forced tokens on a two-character answer."""
    assert SamplingConfig().min_new_tokens == 1


@pytest.mark.parametrize(
    ("section", "values"),
    [
        (ModelConfig, {"n_layer": "4"}),
        (ModelConfig, {"n_layer": 4.0}),
        (ModelConfig, {"n_layer": True}),
        (ModelConfig, {"bias": 1}),
        (ModelConfig, {"bias": "true"}),
        (ModelConfig, {"dropout": "0.1"}),
        (TrainingConfig, {"max_steps": 10, "lr": "3e-4"}),
        (TrainingConfig, {"max_steps": 10, "lr": math.nan}),
        (TrainingConfig, {"max_minutes": math.inf}),
        (TrainingConfig, {"max_steps": 10, "seed": -1}),
        (TrainingConfig, {"max_steps": 10, "beta2": 1.0}),
        (DataConfig, {"train": ""}),
        (DataConfig, {"train": 3}),
        (DataConfig, {"probes": ["什么？"]}),
        (TokenizerConfig, {"vocab_size": 259}),
        (TokenizerConfig, {"kind": "wordpiece"}),
        (SamplingConfig, {"top_p": 0.0}),
        (SamplingConfig, {"stop": "\n"}),
        (SamplingConfig, {"stop": [""]}),
        (Settings, {"recipe": "../../etc"}),
        (Settings, {"recipe": ""}),
        (Settings, {"recipe": "a\n"}),
    ],
)
def test_nothing_is_converted_and_nothing_beyond_bounds(section: type, values: dict[str, Any]) -> None:
    refusal(section, **values)


def test_a_whole_number_is_a_number() -> None:
    assert TrainingConfig(max_steps=1, grad_clip=1).grad_clip == 1.0


@pytest.mark.parametrize("name", ["teacher", "我的", "seq2seq-v1.5", "_x"])
def test_names_of_recipes(name: str) -> None:
    assert Settings(recipe=name).recipe == name


def test_shapes_that_do_not_fit() -> None:
    assert "n_embd (100) must be a multiple of n_head (3)" in refusal(ModelConfig, n_embd=100, n_head=3)
    assert "n_head (4) must be a multiple of n_kv_head (3)" in refusal(ModelConfig, n_kv_head=3)
    assert "with rope, head_dim (or n_embd / n_head) must be even, found 3" in refusal(ModelConfig, n_embd=12, n_head=4)
    assert "with rope, head_dim (or n_embd / n_head) must be even, found 5" in refusal(ModelConfig, head_dim=5)
    assert ModelConfig(n_embd=12, n_head=4, position="learned").head_size == 3


def test_shapes_that_follow_from_others() -> None:
    model = ModelConfig(n_embd=64, n_head=8)
    assert (model.kv_heads, model.head_size, model.hidden) == (8, 8, 256)
    model = ModelConfig(n_embd=64, n_head=7, head_dim=16)
    assert (model.head_size, model.attention_width) == (16, 112)
    model = ModelConfig(n_embd=64, n_head=8, n_kv_head=2, mlp_hidden=100)
    assert (model.kv_heads, model.hidden) == (2, 100)


def test_a_training_must_end() -> None:
    assert "one of max_steps, max_epochs, max_minutes must be set" in refusal(TrainingConfig)
    for budget in ({"max_steps": 1}, {"max_epochs": 0.5}, {"max_minutes": 0.1}):
        TrainingConfig(**budget)


def test_settings_that_contradict_each_other() -> None:
    assert "min_lr (0.1) must not be above lr (0.01)" in refusal(TrainingConfig, max_steps=1, lr=0.01, min_lr=0.1)
    assert TrainingConfig(max_steps=1, batch_size=4, micro_batch=8).micro_batch == 8  # the whole batch at once
    assert "min_new_tokens (9) must not be above max_new_tokens (8)" in refusal(
        SamplingConfig, min_new_tokens=9, max_new_tokens=8
    )


def test_settings_do_not_change() -> None:
    config = Settings()
    with pytest.raises(ValidationError):
        config.model.n_layer = 5
    config.data.probes.append("mine")  # type: ignore[arg-type]
    assert Settings().data.probes == []
