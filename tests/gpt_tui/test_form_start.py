"""Training a model further, from the form: its network and vocabulary come along."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.config import Config, load_config, to_yaml
from gpt_tui.config_text import headless_command
from gpt_tui.desk import Desk
from gpt_tui.widgets.form_start import KEY, shape_of
from gpt_tui.widgets.form_state import FormState

TEACHER = load_config("teacher")
SMALL = TEACHER.update({"model.n_layer": 2, "model.n_embd": 64, "model.dropout": 0.3, "tokenizer.vocab_size": 300})


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder of runs with one called ``small``."""
    checkpoint = tmp_path / "runs" / "small" / "checkpoints" / "best"
    checkpoint.mkdir(parents=True)
    (checkpoint / "state.json").write_text(json.dumps({"config": SMALL.to_dict()}), encoding="utf-8")
    (tmp_path / "runs" / "small" / "config.yaml").write_text(to_yaml(SMALL.to_dict()), encoding="utf-8")
    return tmp_path / "runs"


@pytest.fixture
def form(runs: Path) -> FormState:
    return FormState(Desk(config=TEACHER, base=TEACHER, runs_dir=runs))


def fill(form: FormState, text: str, key: str = KEY) -> None:
    form.enter(key)
    form.type(key, text)
    form.leave(key)


@pytest.mark.parametrize("name", ["small", "small:best", "{runs}/small", "{runs}/small/checkpoints/best"])
def test_what_it_names_is_found(runs: Path, name: str) -> None:
    found = shape_of(name.format(runs=runs), runs)
    assert found is not None
    assert found.model.n_layer == 2


@pytest.mark.parametrize("name", ["nobody", "small/none", ":", "", "a\0b", "x" * 5000, "/etc/passwd"])
def test_what_is_nothing_is_none(runs: Path, name: str) -> None:
    assert shape_of(name, runs) is None


def test_a_damaged_one_is_none(runs: Path) -> None:
    for text in ("model: [", "model:\n  n_layer: many\n"):
        (runs / "small" / "config.yaml").write_text(text, encoding="utf-8")
        assert shape_of("small", runs) is None
    for text in ("{", "[]", "{}", '{"config": 5}', '{"config": {"model": 1}}'):
        (runs / "small" / "checkpoints" / "best" / "state.json").write_text(text, encoding="utf-8")
        assert shape_of(str(runs / "small" / "checkpoints" / "best"), runs) is None


def test_the_form_takes_over_network_and_vocabulary(form: FormState) -> None:
    fill(form, "1e-4", "training.lr")
    fill(form, "small")
    config = form.desk.config
    assert (config.model.n_layer, config.model.n_embd, config.tokenizer.vocab_size) == (2, 64, 300)
    assert (config.model.dropout, config.training.lr) == (TEACHER.model.dropout, 1e-4)
    assert config.training.start_from == "small"
    assert {"model.n_layer", KEY} <= set(form.changed())


def test_while_it_is_typed_nothing_is_taken_over(form: FormState) -> None:
    form.enter(KEY)
    form.type(KEY, "small")
    assert form.desk.config.model == TEACHER.model


def test_a_wrong_name_is_said_at_the_field_and_can_be_put_right(form: FormState) -> None:
    fill(form, "smal")
    assert form.wrong() == ["start_from"]
    assert form.draft.problems[KEY].text == "no such run or checkpoint"
    assert form.desk.config.model == TEACHER.model
    fill(form, "small")
    assert form.wrong() == []
    fill(form, "")
    assert form.desk.config.training.start_from is None


def test_a_recipe_that_names_one_itself_keeps_what_it_says(runs: Path) -> None:
    base = Config().update({KEY: "small"})
    form = FormState(Desk(config=base, base=base, runs_dir=runs))
    form.enter(KEY)
    form.leave(KEY)
    assert form.desk.config.model == base.model


def test_a_run_that_does_not_go_with_other_settings_is_a_problem_of_the_field(form: FormState) -> None:
    """It was an error in the handler of a key, and the end of the app."""
    fill(form, "3", "training.trainable_blocks")
    fill(form, "small")
    assert form.wrong() == ["start_from"]
    assert "trainable_blocks (3) must not be above model.n_layer (2)" in form.draft.problems[KEY].text
    assert form.desk.config.model == TEACHER.model
    fill(form, "2", "training.trainable_blocks")
    fill(form, "small")
    assert form.desk.config.model.n_layer == 2


def test_a_folder_of_that_name_is_not_taken_for_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tutor").mkdir()
    (tmp_path / "config.yaml").write_text("recipe: teacher\ntraining:\n  start_from: tutor\n", encoding="utf-8")
    config = load_config(file=tmp_path / "config.yaml")
    assert config.training.start_from == "tutor"
    assert "training.start_from=tutor" in headless_command(config, "teacher", TEACHER)
    (tmp_path / "tutor" / "config.yaml").touch()
    assert load_config(file=tmp_path / "config.yaml").training.start_from == str(tmp_path / "tutor")
