"""The form without the app: drafts, what is sent to a running training, words, text that cannot be typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config import Config, load_config
from core.settings import settings
from core.text import printable
from gpt_tui import i18n
from gpt_tui.desk import Desk
from gpt_tui.estimates import Facts, KnownRun, estimate
from gpt_tui.setting_words import allowed_text, help_text, section_title, translated, unit_text
from gpt_tui.step_cost import Corpus
from gpt_tui.widgets.form import form_settings, matches, sections
from gpt_tui.widgets.form_draft import (
    Draft,
    entry_names,
    escaped,
    list_limit,
    parse,
    text_of,
    unescaped,
)
from gpt_tui.widgets.form_readouts import memory_text, time_text, tokens_text
from gpt_tui.widgets.form_recipes import own_recipes, source_of
from gpt_tui.widgets.form_state import FormState, live_steps

TEACHER = load_config("teacher")


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i18n, "_language", "zh")


def state(config: Config = TEACHER) -> FormState:
    return FormState(Desk(config=config, base=TEACHER, runs_dir=Path("runs")))


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("data.url", "http://x", "可填：符合 ^https://\\S+$ 的文本"),
        ("training.trainable_blocks", "30", "training.trainable_blocks（30）不能大于 model.n_layer（4）"),
    ],
)
def test_problems_are_said_in_chinese(chinese: None, key: str, text: str, words: str) -> None:
    setting = settings()[key]
    assert Draft(TEACHER).typed(key, text).problems[key].say(setting) == words


# -- drafts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("training.lr", "1e-4", 1e-4),
        ("training.lr", " １ ", 1.0),
        ("training.batch_size", "６４", 64),
        ("training.batch_size", "1e3", 1000),
        ("training.batch_size", "1_000", 1000),
        ("training.max_minutes", "", None),
        ("training.max_minutes", "2", 2.0),
        ("data.valid", "", None),
        ("data.train", " a b ", " a b "),
    ],
)
def test_typed_text_becomes_a_value(key: str, text: str, value: Any) -> None:
    draft = Draft(TEACHER).typed(key, text)
    assert draft.config.get(key) == value
    assert type(draft.config.get(key)) is type(value)
    assert not draft.problems


@pytest.mark.parametrize(
    ("key", "text", "says"),
    [
        ("training.lr", "0", "allowed: a number above 0 and up to 1"),
        ("training.lr", "nan", "allowed: a number above 0 and up to 1"),
        ("training.lr", "fast", "allowed: a number above 0 and up to 1"),
        ("training.lr", "", "allowed: a number above 0 and up to 1"),
        ("training.batch_size", "2.5", "allowed: a whole number from 1 to 65536"),
        ("training.batch_size", "9" * 5000, "allowed: a whole number from 1 to 65536"),
        ("training.batch_size", "inf", "allowed: a whole number from 1 to 65536"),
        ("training.micro_batch", "-1", "allowed: a whole number from 1 to 65536 or empty"),
        ("data.train", "", "must not be empty"),
        ("model.n_embd", "255", "n_embd (255) must be a multiple of n_head (4)"),
        ("training.max_steps", "", "one of max_steps, max_epochs, max_minutes must be set, or the training never ends"),
        ("training.min_lr", "0.5", "min_lr (0.5) must not be above lr (0.003)"),
    ],
)
def test_what_is_wrong_stays_out_and_is_told(key: str, text: str, says: str) -> None:
    draft = Draft(TEACHER).typed(key, text)
    assert draft.config == TEACHER
    assert draft.problems[key].say(settings()[key]) == says


@given(st.sampled_from(sorted(settings())), st.text(max_size=12))
def test_no_text_is_ever_too_much(key: str, text: str) -> None:
    if settings()[key].kind in ("int", "float", "text"):
        draft = Draft(TEACHER).typed(key, text)
        Config.from_dict(draft.config.to_dict())
        assert draft.config == TEACHER or key not in draft.problems


def test_values_that_fit_only_together_wait_for_each_other() -> None:
    draft = Draft(TEACHER).typed("model.n_embd", "255")
    assert draft.waiting == {"model.n_embd": 255}
    draft = draft.typed("model.n_head", "5")  # 255 / 5 = 51 is odd, and rope wants pairs
    assert set(draft.problems) == {"model.n_embd", "model.n_head"}
    assert draft.config == TEACHER
    draft = draft.with_value("model.position", "learned")
    assert (draft.config.model.n_embd, draft.config.model.n_head, draft.problems) == (255, 5, {})


def test_a_waiting_value_is_taken_as_soon_as_it_fits() -> None:
    draft = Draft(TEACHER).typed("training.min_lr", "0.01").typed("training.lr", "0.1")
    assert (draft.config.training.min_lr, draft.config.training.lr, draft.problems) == (0.01, 0.1, {})
    draft = Draft(TEACHER).typed("training.max_steps", "").typed("training.max_epochs", "3")
    assert (draft.config.training.max_steps, draft.config.training.max_epochs) == (None, 3.0)


def test_lists_have_a_limit() -> None:
    assert list_limit("sampling.stop") == 32
    assert list_limit("data.probes") == 50
    draft = Draft(TEACHER).with_value("sampling.stop", ["a"] * 33)
    assert draft.problems["sampling.stop"].say(settings()["sampling.stop"]) == "at most 32 entries"
    assert draft.config == TEACHER
    assert Draft(TEACHER).with_value("data.probes", []).config.data.probes == []
    assert entry_names("data.probes") == ("prompt", "expected")
    assert entry_names("sampling.stop") == ()


def test_a_value_that_cannot_be_typed_survives_being_looked_at() -> None:
    odd = TEACHER.update({"data.train": "a\x1b[2J\nb"})
    shown = text_of(odd.data.train)
    assert shown == printable(shown)
    assert Draft(odd).typed("data.train", shown).config == odd


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_everything_invisible_can_be_written_out(text: str) -> None:
    assert unescaped(escaped(text)) == text
    assert escaped(text).isprintable()


@pytest.mark.parametrize(
    ("typed", "meant"), [("\\n", "\n"), ("\\", "\\"), ("\\q", "\\q"), ("\\x4", "\\x4"), ("\\ud800", "\\ud800")]
)
def test_what_is_no_escape_is_taken_as_it_is(typed: str, meant: str) -> None:
    assert unescaped(typed) == meant


def test_numbers_as_they_are_always_written() -> None:
    assert [text_of(value) for value in (1e-5, 10000.0, 0.1, None, 3)] == ["1e-05", "10000", "0.1", "", "3"]
    for key in ("training.lr", "model.rope_theta", "training.seed"):
        value = TEACHER.get(key)
        assert parse(settings()[key], text_of(value)) == value


# -- the desk ---------------------------------------------------------------------------------------------------------


def test_what_is_half_typed_is_never_left_behind() -> None:
    form = state()
    form.enter("training.batch_size")
    for text, lies_on_the_desk in (("3", 3), ("", 32), ("x", 32), ("64", 64), ("64x", 32)):
        form.type("training.batch_size", text)
        assert form.desk.config.training.batch_size == lies_on_the_desk
    look = form.look(settings()["training.batch_size"])
    assert (look.text, look.problem) == ("64x", "")  # told when the field is left
    form.leave("training.batch_size")
    assert form.look(settings()["training.batch_size"]).problem.startswith("allowed:")
    assert form.desk.config == TEACHER
    assert form.wrong() == ["batch_size"]
    form.enter("training.batch_size")
    form.type("training.batch_size", "6")
    assert form.look(settings()["training.batch_size"]).problem == ""


def test_escape_takes_back_what_was_typed() -> None:
    form = state()
    form.enter("training.lr")
    form.type("training.lr", "0.5")
    form.take_back()
    assert form.desk.config == TEACHER


def test_resetting_one_all_and_back() -> None:
    form = state(TEACHER.update({"training.lr": 0.5, "model.n_layer": 2}))
    assert form.changed() == ["model.n_layer", "training.lr"]
    look = form.look(settings()["training.lr"])
    assert (look.value, look.was) == (0.5, "0.003")
    form.reset("training.lr")
    assert form.changed() == ["model.n_layer"]
    assert form.reset_all()
    assert (form.changed(), form.desk.config) == ([], TEACHER)
    assert form.can_reset
    assert not form.reset_all()
    assert form.changed() == ["model.n_layer"]
    form.reset_all()
    form.choose("training.int8", False)  # after a new change there is no way back
    form.reset_all()
    form.reset_all()
    assert form.changed() == ["training.int8"]


def test_somebody_else_puts_other_settings_on_the_desk() -> None:
    form = state()
    assert not form.catch_up()
    form.type("training.lr", "0.5")
    assert not form.catch_up()
    form.desk.config = form.desk.base = load_config("teacher", overrides=["model.n_layer=3"])
    assert form.catch_up()
    assert (form.draft.config.model.n_layer, form.changed(), form.source) == (3, [], "")
    assert "--recipe teacher" in form.command()
    assert "model.n_layer=3" in form.command()


def test_while_a_training_runs_only_some_things_change() -> None:
    form = state()
    form.follow(TEACHER)
    assert form.is_fixed(settings()["model.n_layer"])
    assert not form.is_fixed(settings()["training.lr"])
    assert form.look(settings()["training.lr"]).live
    form.enter("training.lr")
    form.type("training.lr", "0.5")
    assert form.desk.config == TEACHER  # not before the field is left
    assert form.leave("training.lr") == [("training.lr", 0.5)]
    assert form.leave("training.lr") == []
    assert form.desk.config.training.lr == 0.5
    form.follow(None)
    assert form.draft.config.training.lr == 0.5
    assert not form.is_fixed(settings()["model.n_layer"])


def test_a_run_that_goes_on_has_its_own_settings() -> None:
    form = state(TEACHER.update({"model.n_layer": 2, "training.min_lr": 1e-4}))
    mine = form.desk.config
    form.follow(TEACHER)
    assert form.draft.config == TEACHER
    form.choose("training.lr", 5e-5)
    assert form.tell() == [("training.lr", 5e-5)]  # fits the run, but not what lies on the desk
    assert form.desk.config == mine
    form.follow(None)
    assert form.draft.config == mine


def test_changes_reach_the_training_in_an_order_it_can_take() -> None:
    new = TEACHER.update(
        {"training.lr": 5e-6, "training.min_lr": 1e-6, "training.max_steps": None, "training.max_minutes": 3.0}
    )
    steps = live_steps(TEACHER, new)
    config = TEACHER
    for key, value in steps:
        config = config.update({key: value})
    assert config == new
    assert live_steps(TEACHER, TEACHER.update({"model.n_layer": 2})) == []


def test_recipes_of_ones_own_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "mine.yaml").write_text("training: {max_steps: 5}\n")
    (folder / "broken.yaml").write_text("x: [")
    assert [path.name for path in own_recipes(tmp_path)] == ["broken.yaml", "mine.yaml"]
    mine = load_config(str(folder / "mine.yaml"))
    assert source_of(mine, tmp_path) == str(folder / "mine.yaml")
    assert source_of(TEACHER, tmp_path) == "teacher"
    assert source_of(TEACHER.update({"training.lr": 0.5}), tmp_path) == ""
    assert own_recipes(tmp_path / "nowhere") == []


# -- words ------------------------------------------------------------------------------------------------------------


def test_every_setting_but_the_recipe_has_a_field() -> None:
    keys = [setting.key for setting in form_settings()]
    assert keys == [key for key in settings() if key not in ("recipe", "description")]
    assert sections() == ["model", "tokenizer", "data", "training", "lora", "sampling"]


def test_finding_by_name_group_help_and_unit(chinese: None) -> None:
    lr = settings()["training.lr"]
    for words in ("lr", "training.lr", "LEARNING rate", "训练", "最高学习率", ""):
        assert matches(lr, words)
    assert not matches(lr, "lr dropout")
    assert matches(settings()["training.max_minutes"], "分钟")


def test_every_word_of_the_schema_has_its_chinese(chinese: None) -> None:
    def is_chinese(text: str) -> bool:
        return any("\u4e00" <= char <= "\u9fff" for char in text)

    for setting in form_settings():
        assert is_chinese(help_text(setting)), setting.key
        assert is_chinese(allowed_text(setting)), setting.key
        assert not setting.unit or is_chinese(unit_text(setting)), setting.unit
    for section in sections():
        assert is_chinese(section_title(section))
    for sentence in (
        "n_embd (255) must be a multiple of n_head (4)",
        "min_lr (1e-05) must not be above lr (5e-06)",
        "min_new_tokens (9) must not be above max_new_tokens (3)",
        "with rope, head_dim (or n_embd / n_head) must be even, found 51",
    ):
        said = translated(sentence)
        assert is_chinese(said)
        assert all(
            number in said for number in sentence.replace("(", " ").replace(")", " ").split() if number[0].isdigit()
        )
    assert translated("nobody knows 5") == "nobody knows 5"


def test_figures_in_words() -> None:
    run = KnownRun("r\x1b", TEACHER, 2048, "fp32", 1e-4, Corpus(2400, 33.25, 0.6), 1)
    config = TEACHER.update({"training.max_steps": 300})
    found = estimate(config, Facts(runs=(run,)))
    assert tokens_text(found) == "about 1,050 tokens a step (at most 4,096)"
    assert time_text(found) == "about 0:32 for 300 steps = 4 epochs"
    assert memory_text(found).endswith("MB of memory")
    assert time_text(estimate(config, Facts())) == "300 steps, time not known yet"
