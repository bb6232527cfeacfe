"""Saving settings: comments, order and every untouched character of the user's file stay."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from core.config import Config, load_config
from core.errors import ConfigError
from core.settings import settings
from core.yamlio import parse_scalar
from gpt_tui.config_file import edited_text, save_config, save_recipe
from gpt_tui.config_text import (
    differences,
    headless_command,
    inline,
    same_settings,
    same_value,
    value_of,
)

ROOT = Path(__file__).parents[2]

MINE = """\
# my settings
recipe: teacher   # built on this

training:
  # how long
  max_steps: 300      # steps

  lr:   3e-4 # as in the paper
  warmup_ratio: 0.1
# what follows is about the model
model: {n_layer: 2, n_head: 4}   # small
data:
    probes:     # asked
        # the first
        - prompt: 'what?'    # simple
          expected: that
        # the second
        - prompt: "why?"

    verify_rows: 10
sampling:
  stop: ["\\n", '用户:']
# the end
"""


def write(folder: Path, text: str) -> tuple[Path, Config]:
    path = folder / "config.yaml"
    path.write_bytes(text.encode("utf-8"))
    return path, load_config(file=path)


def lines_changed(before: str, after: str) -> tuple[list[str], list[str]]:
    """Lines that went, and lines that came."""
    old, new = before.splitlines(), after.splitlines()
    return [line for line in old if line not in new], [line for line in new if line not in old]


def test_nothing_changed_writes_nothing(tmp_path: Path) -> None:
    path, config = write(tmp_path, MINE)
    before = path.stat().st_mtime_ns
    assert save_config(path, config) == []
    assert (path.read_text(), path.stat().st_mtime_ns) == (MINE, before)


def test_a_changed_value_changes_its_line_alone(tmp_path: Path) -> None:
    path, config = write(tmp_path, MINE)
    assert save_config(path, config.update({"training.lr": 0.0005})) == ["training.lr"]
    assert lines_changed(MINE, path.read_text()) == (
        ["  lr:   3e-4 # as in the paper"],
        ["  lr:   0.0005 # as in the paper"],
    )


def test_a_comment_stays_in_its_column(tmp_path: Path) -> None:
    path, config = write(tmp_path, MINE)
    save_config(path, config.update({"training.max_steps": 12345}))
    assert "  max_steps: 12345    # steps\n" in path.read_text()


def test_a_new_setting_goes_behind_those_before_it_in_the_schema(tmp_path: Path) -> None:
    path, config = write(tmp_path, MINE)
    changed = {"training.batch_size": 8, "training.min_lr": 0.0, "training.seed": 7, "tokenizer.vocab_size": 512}
    assert set(save_config(path, config.update(changed))) == set(changed)
    text = path.read_text()
    assert lines_changed(MINE, text)[0] == []
    assert "  lr:   3e-4 # as in the paper\n  min_lr: 0.0\n" in text
    assert "  max_steps: 300      # steps\n  seed: 7\n\n  lr:" in text
    # the first of its section goes to the end, but not behind the comment about the next section
    assert "  warmup_ratio: 0.1\n  batch_size: 8\n# what follows is about the model\nmodel:" in text
    assert "# small\n\ntokenizer:\n  vocab_size: 512\ndata:" in text


def test_a_setting_in_a_one_line_section(tmp_path: Path) -> None:
    path, config = write(tmp_path, MINE)
    save_config(path, config.update({"model.n_layer": 3, "model.n_embd": 64}))
    assert "model: {n_layer: 3, n_head: 4, n_embd: 64}   # small\n" in path.read_text()


def test_probes_are_edited_entry_by_entry(tmp_path: Path) -> None:
    path, config = write(tmp_path, MINE)
    probes = [{"prompt": "what?"}, {"prompt": "why?", "expected": "because: it is"}, {"prompt": "新的"}]
    changed = config.update({"data.probes": probes})
    save_config(path, changed)
    text = path.read_text()
    assert "- prompt: 'what?'    # simple\n        # the second\n" in text
    assert '- prompt: "why?"\n          expected: "because: it is"\n        - prompt: 新的\n\n    verify_rows' in text
    assert same_settings(load_config(file=path), changed)


def test_probes_can_go_and_come_back(tmp_path: Path) -> None:
    path, config = write(tmp_path, MINE)
    for probes in ([{"prompt": "why?"}], [], [{"prompt": "a", "expected": "b"}, {"prompt": "c"}]):
        changed = config.update({"data.probes": probes})
        save_config(path, changed)
        assert same_settings(load_config(file=path), changed)
        assert "    probes:" in path.read_text()
        assert "    verify_rows: 10\n" in path.read_text()


def test_empty_and_filled_again(tmp_path: Path) -> None:
    path, config = write(tmp_path, "recipe: teacher\ntraining:\n  max_minutes:    # none\n  max_steps: 5\n")
    save_config(path, config.update({"training.max_minutes": 2.0, "training.max_steps": None}))
    assert path.read_text() == "recipe: teacher\ntraining:\n  max_minutes: 2.0 # none\n  max_steps: null\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing but a comment",
        "recipe: teacher",
        "---\nrecipe: teacher\n",
        "recipe: teacher\r\ntraining:\r\n  lr: 0.01 # high\r\n\r\nmodel:\r\n  n_layer: 2\r\n",
        "training: {}\nrecipe: teacher\n",
        "description: |\n  two\n  lines\n\nrecipe: teacher\ndata:\n  probes: []\n",
        "data:\n  probes:\n  - prompt: a\n  - {prompt: b, expected: c}\nmodel:\n  n_head: 2",
        "sampling:\n  stop:\n  - a\n  - b\n  # after\nmodel:\n  n_layer: 1\n",
    ],
)
def test_any_style_of_file_reads_back_the_same(tmp_path: Path, text: str) -> None:
    path, config = write(tmp_path, text)
    changed = config.update(
        {
            "recipe": "mine",
            "description": "what: it is # for",
            "model.n_embd": 64,
            "model.bias": False,
            "data.probes": [{"prompt": "x"}, {"prompt": "y\nz", "expected": "- no"}, {"prompt": "w"}],
            "training.max_epochs": 2.5,
            "sampling.stop": ["c", "\n", "'\"\\"],
        }
    )
    save_config(path, changed)
    found = path.read_bytes().decode()
    assert same_settings(load_config(file=path), changed)
    assert ("\r\n" in found) == ("\r\n" in text)
    assert "\n" not in found.replace("\r\n", "") if "\r\n" in text else True
    for comment in ("# nothing but a comment", "# high", "# after"):
        assert (comment in found) == (comment in text)
    save_config(path, config)
    assert same_settings(load_config(file=path), config)


def test_a_section_with_nothing_in_it(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("recipe: teacher\nmodel:  # to do\ntraining:\n  lr: 0.1\n")
    config = load_config("teacher").update({"training.lr": 0.1})
    assert save_config(path, config) == []
    assert save_config(path, config.update({"model.n_embd": 64})) == ["model.n_embd"]
    assert path.read_text() == "recipe: teacher\nmodel:  # to do\n  n_embd: 64\ntraining:\n  lr: 0.1\n"


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "description": st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    "model.n_layer": st.integers(1, 96),
    "model.dropout": st.floats(0, 0.9),
    "model.norm": st.sampled_from(["rmsnorm", "layernorm"]),
    "model.qkv_bias": st.sampled_from([None, True, False]),
    "model.mlp_hidden": st.one_of(st.none(), st.integers(8, 999)),
    "data.train": st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    "data.probes": st.lists(
        st.fixed_dictionaries(
            {
                "prompt": st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9),
                "expected": st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=9)),
            }
        ),
        max_size=4,
    ),
    "training.lr": st.floats(1e-5, 1.0),
    "training.max_minutes": st.one_of(st.none(), st.floats(0.001, 1e5)),
    "sampling.stop": st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9), max_size=4
    ),
}  # fmt: skip


@hypothesis_settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(st.fixed_dictionaries({}, optional=VALUES), min_size=1, max_size=3))
def test_every_value_reads_back_and_no_comment_is_lost(tmp_path: Path, rounds: list[dict[str, Any]]) -> None:
    path, config = write(tmp_path, MINE)
    comments = [line.partition("#")[2] for line in MINE.splitlines() if "#" in line and "simple" not in line]
    for changes in rounds:
        # a file beside ours would be taken for the name of one
        changed = config.update({**changes, "training.min_lr": 0.0})
        save_config(path, changed)
        assert same_settings(load_config(file=path), changed)
        text = path.read_text()
        assert all(comment in text for comment in comments if "first" not in comment and "second" not in comment)


@hypothesis_settings(max_examples=80, deadline=None)
@given(st.sampled_from(sorted(VALUES)).flatmap(lambda key: st.tuples(st.just(key), VALUES[key])))
def test_the_command_line_says_the_same(case: tuple[str, Any]) -> None:
    key, value = case
    base = load_config("teacher").update({"training.min_lr": 0.0})
    config = base.update({key: value})
    words = shlex.split(headless_command(config, "teacher", load_config("teacher")))
    assert words[:5] == ["gpt-tui", "--no-ui", "train", "--recipe", "teacher"]
    assert words[5::2] == ["--set"] * len(words[5::2])
    assert same_settings(load_config("teacher", overrides=words[6::2]), config)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_text_in_one_line_of_yaml(text: str) -> None:
    assert parse_scalar(inline(text)) == text
    assert inline(text).isprintable()


def test_a_file_that_is_not_there_is_written_with_help(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    config = load_config("teacher").update({"training.lr": 5e-4, "data.probes": [{"prompt": "a"}]})
    assert save_config(path, config) == ["data.probes", "training.lr"]
    text = path.read_text()
    assert "recipe: teacher" in text
    assert "  lr: 0.0005                  # Highest learning rate.\n" in text
    assert "n_layer" not in text
    assert same_settings(load_config(file=path), config)


def test_what_is_not_ours_to_mend_is_refused_and_left_alone(tmp_path: Path) -> None:
    config = load_config("teacher").update({"training.lr": 5e-4})
    for text, says in (
        ("recipe: teacher\nunknown: 1\n", "config.yaml:2: unknown: unknown setting"),
        ("a: b: c\n", "config.yaml:1: not valid YAML"),
        ("recipe: teacher\nmodel: 5\n", "config.yaml"),
        ("x: &a 1\ny: *a\n", "anchors and aliases"),
    ):
        path = tmp_path / "config.yaml"
        path.write_text(text)
        with pytest.raises(ConfigError, match=r"config\.yaml") as problem:
            save_config(path, config)
        assert says in str(problem.value)
        assert ".tmp" not in str(problem.value)
        assert path.read_text() == text
        assert os.listdir(tmp_path) == ["config.yaml"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        save_config(blocked / "config.yaml", Config())


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_permissions_and_links_stay(tmp_path: Path) -> None:
    real = tmp_path / "real.yaml"
    real.write_text("recipe: teacher\n")
    real.chmod(0o640)
    link = tmp_path / "config.yaml"
    link.symlink_to(real)
    save_config(link, load_config("teacher").update({"training.lr": 0.01}))
    assert link.is_symlink()
    assert "lr: 0.01" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_data_is_named_so_that_the_folder_can_be_moved(tmp_path: Path) -> None:
    (tmp_path / "my.jsonl").write_text('{"prompt": "a", "completion": "b"}\n')
    path, config = write(tmp_path, "recipe: teacher\ndata:\n  train: my.jsonl # mine\n  valid: null\n")
    assert config.data.train == str(tmp_path / "my.jsonl")
    save_config(path, config.update({"data.valid": str(tmp_path / "my.jsonl"), "training.lr": 0.01}))
    assert "  train: my.jsonl # mine\n  valid: my.jsonl\n" in path.read_text()
    recipe = tmp_path / "recipes" / "mine.yaml"
    save_recipe(recipe, config.update({"recipe": "mine"}))
    assert "train: ../my.jsonl" in recipe.read_text()


def test_a_bundled_name_is_not_taken_for_a_file_beside(tmp_path: Path) -> None:
    other = tmp_path / "teacher"
    other.mkdir()
    (other / "train.jsonl").write_text("{}\n")
    path = tmp_path / "config.yaml"
    config = load_config("teacher").update({"training.lr": 0.01})
    save_config(path, config)
    path.write_text(path.read_text() + "data:\n  train: x.jsonl\n")
    save_config(path, config)
    assert load_config(file=path).data.train == str(ROOT / "data/teacher/train.jsonl")


def test_a_recipe_holds_everything_and_can_be_trained(tmp_path: Path) -> None:
    path = tmp_path / "recipes" / "mine.yaml"
    config = load_config("teacher").update({"recipe": "mine", "description": "for us: all", "model.n_layer": 2})
    save_recipe(path, config)
    assert same_settings(load_config(str(path)), config)
    text = path.read_text()
    assert all(f"{key.rpartition('.')[2]}:" in text for key in settings())
    assert "  train: teacher/train.jsonl" in text
    with pytest.raises(ConfigError, match="exists already"):
        save_recipe(path, config)
    save_recipe(path, config.update({"training.lr": 0.5}), replace=True)
    assert load_config(str(path)).training.lr == 0.5


def test_two_spellings_of_a_file_are_no_change() -> None:
    there = str(ROOT / "data/teacher/train.jsonl")
    assert same_value("data.train", there, "teacher/train.jsonl")
    assert not same_value("data.train", there, "teacher/valid.jsonl")
    assert not same_value("data.train", "a\0b", "c")
    assert not same_value("training.lr", 1.0, None)
    base = load_config("teacher")
    assert differences(base.update({"data.train": there}), base) == {}


def test_order_and_values_of_differences() -> None:
    base = Config()
    changed = base.update({"sampling.stop": ["x"], "model.n_layer": 2, "data.probes": [{"prompt": "a"}]})
    assert differences(changed, base) == {
        "model.n_layer": 2,
        "data.probes": [{"prompt": "a", "expected": None}],
        "sampling.stop": ["x"],
    }
    assert value_of(changed, "data.probes") == [{"prompt": "a", "expected": None}]


def test_editing_text_of_a_missing_section_at_the_end_without_newline() -> None:
    assert edited_text("recipe: teacher", {"training.lr": 0.1}) == "recipe: teacher\n\ntraining:\n  lr: 0.1\n"


@pytest.mark.parametrize(
    "section", ["{\n  lr: 0.001,\n}", "{\n  lr: 0.001,  # high\n}", "{lr: 0.001}", "{ lr: 0.001 , }", "{}"]
)
def test_a_section_in_braces_gets_another_key(section: str, tmp_path: Path) -> None:
    path, config = write(tmp_path, f"recipe: teacher\ntraining: {section}\n")
    save_config(path, config.update({"training.seed": 7}))
    assert same_settings(load_config(file=path), config.update({"training.seed": 7}))
    assert ("# high" in path.read_text()) == ("# high" in section)
