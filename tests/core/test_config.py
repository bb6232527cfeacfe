"""Settings in and out: layers, messages that say what to do, and a round trip through YAML."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from core.config import Config, Override, load_config, recipe_names, recipe_path, to_yaml
from core.errors import ConfigError
from core.records import find_data
from core.settings import settings
from core.yamlio import load_yaml, parse_yaml

MessageOf = Callable[[Callable[[], object]], "str | None"]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Any:
    """A function that writes a settings file and returns its path."""

    def write(text: str, name: str = "my.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refusal(recipe: str | None = None, file: Path | None = None, overrides: list[str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(recipe, file, overrides or [])
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- layers


def test_without_anything_the_defaults_hold() -> None:
    assert load_config() == Config()


def test_every_recipe_loads_under_its_own_name() -> None:
    assert "teacher" in recipe_names()
    for name in recipe_names():
        config = load_config(name)
        assert config.recipe == name
        assert config.description


def test_later_layers_win(file: Any) -> None:
    recipe = file("training:\n  lr: 0.1\n  batch_size: 4\n  max_steps: 7\n", "own.yaml")
    mine = file("training:\n  batch_size: 8\n  log_interval: 3\n")
    config = load_config(str(recipe), mine, ["training.log_interval=5", "model.n_layer = 2"])
    assert config.recipe == "own"
    assert config.training.lr == 0.1  # the recipe's
    assert config.training.batch_size == 8  # the file's
    assert config.training.log_interval == 5  # the override's
    assert config.model.n_layer == 2
    assert config.training.beta2 == 0.95  # the schema's


def test_a_file_builds_on_the_recipe_that_it_names(file: Any) -> None:
    mine = file("recipe: teacher\ntraining:\n  max_steps: 7\n")
    assert load_config(file=mine) == load_config("teacher").update({"training.max_steps": 7})


def test_so_does_a_recipe_of_one_s_own(file: Any) -> None:
    """It was trained on another recipe's data, with another network."""
    mine = file("recipe: reader\ntraining:\n  max_steps: 7\n", "mine.yaml")
    assert load_config(str(mine)) == load_config("reader").update({"training.max_steps": 7})
    with pytest.raises(ConfigError, match="techer"):
        load_config(str(file("recipe: techer\n", "other.yaml")))


def test_a_recipe_that_was_asked_for_counts_more_than_the_one_in_the_file(file: Any) -> None:
    recipe = file("model:\n  n_layer: 1\n", "own.yaml")
    mine = file("recipe: teacher\ntraining:\n  max_steps: 7\n")
    config = load_config(str(recipe), mine)
    assert config.model.n_layer == 1
    assert config.tokenizer.vocab_size == Config().tokenizer.vocab_size


def test_lists_are_replaced_not_mixed(file: Any) -> None:
    mine = file("recipe: teacher\ndata:\n  probes: []\nsampling:\n  stop: [x]\n")
    config = load_config(file=mine)
    assert config.data.probes == []
    assert config.sampling.stop == ["x"]


def test_a_section_without_lines_leaves_the_recipe_as_it_is(file: Any) -> None:
    mine = file("recipe: teacher\ntokenizer:\n  # vocab_size: 512\ntraining:\n")
    assert load_config(file=mine) == load_config("teacher")
    assert load_config(str(file("model:\n", "own.yaml"))).model == Config().model


def test_the_config_file_at_the_root_is_the_teacher_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    mine, recipe = load_config(file=Path("config.yaml")), load_config("teacher")
    for key in ("train", "valid"):
        paths = [find_data(config.get(f"data.{key}")).resolve() for config in (mine, recipe)]
        assert paths[0] == paths[1]
        assert paths[0].is_file()
    files = {"data.train": "x", "data.valid": "x"}
    assert mine.update(files) == recipe.update(files)


def test_data_paths_are_meant_from_the_folder_of_the_file(file: Any, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("")
    config = load_config(file=file("data:\n  train: rows.jsonl\n  valid: teacher/valid.jsonl\n"))
    assert config.data.train == str(tmp_path / "rows.jsonl")
    assert config.data.valid == "teacher/valid.jsonl"  # none beside the file: the bundled one


@pytest.mark.parametrize("text", ["a" * 5000, '"a\\0b"', "'~nobody/x'"])
def test_strange_data_paths_are_left_for_the_reader_to_refuse(file: Any, text: str) -> None:
    assert load_config(file=file(f"data:\n  train: {text}\n")).data.train


# --- messages


def test_an_unknown_key_names_file_line_and_the_nearest_key(file: Any) -> None:
    path = file("recipe: teacher\n\ntraining:\n  learning_rat: 1\n  warmup_ration: 0.1\n")
    assert refusal(file=path).startswith(f"{path}:4: training.learning_rat: unknown setting")
    path = file("training:\n  max_steps: 1\n  warmup_ration: 0.1\n")
    assert refusal(file=path) == (
        f"{path}:3: training.warmup_ration: unknown setting, did you mean 'training.warmup_ratio'?"
    )
    path = file("model:\n  n_layers: 4\n")
    assert refusal(file=path) == f"{path}:2: model.n_layers: unknown setting, did you mean 'model.n_layer'?"
    path = file("trainning:\n  lr: 1\n")
    assert refusal(file=path) == f"{path}:1: trainning: unknown setting, did you mean 'training'?"
    path = file("# the rate\nlr: 1\n")
    assert refusal(file=path) == f"{path}:2: lr: unknown setting, did you mean 'training.lr'?"
    path = file("zzzzzz: 1\n")
    assert refusal(file=path) == f"{path}:1: zzzzzz: unknown setting"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model:\n  n_layer: 0", "2: model.n_layer: found 0, allowed: a whole number from 1 to 96"),
        ("model:\n  n_layer: 2.5", "2: model.n_layer: found 2.5, allowed: a whole number from 1 to 96"),
        ("model:\n  norm: batch", "2: model.norm: found 'batch', allowed: one of rmsnorm, layernorm, scalenorm"),
        ("training:\n  int8: no\n  max_steps: 1", "2: training.int8: found 'no', allowed: true or false"),
        (
            "training:\n  max_steps: 1\n  beta1: 1.0",
            "3: training.beta1: found 1.0, allowed: a number from 0 to below 1",
        ),
        ("training:\n  lr:\n  max_steps: 1", "2: training.lr: found nothing, allowed: a number above 0 and up to 1"),
        (
            "training:\n  max_minutes: 0",
            "2: training.max_minutes: found 0, allowed: a number above 0 and up to 100000 or empty",
        ),
        ("data:\n  train: 3", "2: data.train: found 3, allowed: text"),
        ("data:\n  train: ''", "2: data.train: found '', allowed: text that is not empty"),
        (f"description: {'x' * 501}", "1: description: found 'xxx"),
        ("data:\n  probes: what", "2: data.probes: found 'what', allowed: a list"),
        ("data:\n  probes:\n    - expected: x", "3: data.probes.0.prompt: is missing"),
        ("model: 3", "1: model: found 3, expected a group of 'key: value' lines"),
        ("model:\n  n_embd: 30", "1: model: n_embd (30) must be a multiple of n_head (4)"),
        ("training:\n  n: 1\n  b: 2\n  max_steps: 1", "2: training.n: unknown setting (and 1 more)"),
    ],
)
def test_a_wrong_value_says_where_what_and_what_is_allowed(file: Any, text: str, message: str) -> None:
    path = file(text)
    assert refusal(file=path).startswith(f"{path}:{message}")


def test_the_limits_of_texts_and_lists_are_named(file: Any) -> None:
    assert refusal(overrides=["recipe=a b"]).endswith(r"found 'a b', allowed: text that matches ^\w[\w.-]{0,63}$")
    assert refusal(overrides=[f"description={'x' * 501}"]).endswith("allowed: text of at most 500 characters")
    assert refusal(overrides=["sampling.stop=[" + "x," * 33 + "]"]).endswith("allowed: a list of at most 32")


def test_a_long_value_is_shown_short() -> None:
    assert len(refusal(overrides=[f"training.lr={'x' * 10_000}"])) < 200


def test_broken_yaml_and_doubled_keys_name_file_and_line(file: Any) -> None:
    path = file("training:\n  lr: 1e-3\n  lr: 2e-3\n")
    assert refusal(file=path) == f"{path}:3: not valid YAML: the key 'lr' is given twice"
    path = file("training: [\n")
    assert refusal(file=path).startswith(f"{path}:2: not valid YAML: ")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert refusal(file=tmp_path / "no.yaml") == f"{tmp_path / 'no.yaml'}: no such file"
    assert refusal(recipe=str(tmp_path / "no.yaml")) == f"{tmp_path / 'no.yaml'}: no such file"


@pytest.mark.parametrize("name", ["tacher", "a" * 5000, "a\0b", "../recipes/teacher"])
def test_an_unknown_recipe_names_those_there_are(name: str) -> None:
    assert "teacher" in refusal(recipe=name)


def test_a_misspelt_recipe_names_the_nearest() -> None:
    assert "did you mean 'teacher'?" in refusal(recipe="tacher")


def test_a_recipe_is_a_name_or_a_file(file: Any) -> None:
    assert recipe_path("teacher").is_file()
    own = file("model:\n  n_layer: 1\n", "我的.yaml")
    assert load_config(str(own)).recipe == "我的"


# --- overrides


@pytest.mark.parametrize(
    ("item", "key", "value"),
    [
        ("training.lr=3e-4", "training.lr", 3e-4),
        ("training.max_epochs=2", "training.max_epochs", 2),
        ("training.int8=false", "training.int8", False),
        ("data.valid=", "data.valid", None),
        ("data.valid=null", "data.valid", None),
        ("sampling.stop=['\n', 问:]", "sampling.stop", None),
        ("tokenizer.path=a=b", "tokenizer.path", "a=b"),
    ],
)
def test_overrides_are_read_as_yaml(item: str, key: str, value: Any) -> None:
    if key == "sampling.stop":
        assert refusal(overrides=[item])  # '问:' is a mapping to YAML
        assert load_config(overrides=['sampling.stop=["\\n", "问:"]']).sampling.stop == ["\n", "问:"]
    else:
        assert load_config("teacher", overrides=[item]).get(key) == value


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("training.lr", "--set training.lr: expected key.path=value"),
        ("trainig.lr=1", "--set trainig.lr: unknown setting, did you mean 'training.lr'?"),
        ("training=5", "--set training: unknown setting"),
        ("=5", "--set : unknown setting"),
        ("training.lr=2", "--set: training.lr: found 2, allowed: a number above 0 and up to 1"),
        ("training.lr=[", "--set:1: not valid YAML: "),
        ("data.probes=[{promt: x}]", "--set: data.probes.0.prompt: is missing"),
    ],
)
def test_a_wrong_override_is_named_as_one(item: str, message: str) -> None:
    assert refusal("teacher", overrides=[item]).startswith(message)


# --- changing and writing


def test_update_takes_dotted_and_nested_keys() -> None:
    config = Config()
    changed = config.update({"training.lr": 0.5, "model.n_layer": 1}, training={"batch_size": 2}, recipe="new")
    assert (changed.training.lr, changed.training.batch_size) == (0.5, 2)
    assert (changed.model.n_layer, changed.recipe) == (1, "new")
    assert changed.training.max_steps == config.training.max_steps
    assert config == Config()
    assert config.update() == config


@pytest.mark.parametrize("changes", [{"training.lr": "1"}, {"training.foo": 1}, {"foo": 1}, {"recipe.x": 1}, {"": 1}])
def test_an_update_is_checked(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Config().update(changes)


def test_get_reads_every_key() -> None:
    config = load_config("teacher")
    flat = {key: config.get(key) for key in settings()}
    assert flat["model.n_embd"] == config.model.n_embd
    assert len(flat["data.probes"]) == len(config.data.probes)


def test_settings_are_described_by_the_schema() -> None:
    lr = settings()["training.lr"]
    assert (lr.kind, lr.optional, lr.low, lr.open_low, lr.high, lr.open_high) == ("float", False, 0.0, True, 1.0, False)
    assert settings()["training.beta1"].open_high
    assert settings()["model.norm"].choices == ("rmsnorm", "layernorm", "scalenorm")
    assert settings()["model.qkv_bias"].optional
    assert settings()["data.probes"].kind == "list"
    assert settings()["model.seq_len"].unit == "tokens"


@pytest.mark.parametrize("name", [None, *recipe_names()])
def test_settings_are_read_back_from_their_yaml(file: Any, name: str | None) -> None:
    config = load_config(name)
    assert load_config(file=file(to_yaml(config.to_dict()))) == config
    assert Config.from_dict(config.to_dict()) == config


plain = st.text(max_size=20)  # hypothesis leaves surrogates out of what it calls text
lines = st.lists(
    st.sampled_from(["a", " ", "\n", "\r", "\x85", "\u2028", "\t", "#", ":", "'", "1e5", "08"]), min_size=1
)


@given(
    description=plain,
    stop=st.lists(st.one_of(plain.filter(bool), lines.map("".join)), max_size=4),
    probe=st.one_of(plain.filter(bool), st.from_regex(r"\A[0-9.]{1,4}(e[0-9]{1,2})?\Z")),
    expected=st.none() | plain,
    lr=st.floats(1e-5, 1.0),
)
@example(description="1e5", stop=["08", "no", "~"], probe="1.5e3", expected="", lr=3e-4)
def test_any_settings_are_read_back_from_their_yaml(
    description: str, stop: list[str], probe: str, expected: str | None, lr: float
) -> None:
    config = Config().update(
        {
            "description": description,
            "sampling.stop": stop,
            "data.probes": [{"prompt": probe, "expected": expected}],
            "training.lr": lr,
        }
    )
    assert Config.from_dict(parse_yaml(to_yaml(config.to_dict()), "f.yaml")[0]) == config


# --- nothing but ConfigError

anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([0, 1, -1, 10**400, math.nan, math.inf, -0.0, 1e-320, "", "a\0b", "\ud800", "auto", b"x", ()]),
        st.floats(),
        st.text(st.characters(exclude_categories=()), max_size=10),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


@given(key=st.sampled_from([*settings(), "model", "training", "data.probes.0", "sampling", "x"]), value=anything)
@example(key="model", value={"\n": None})
def test_any_value_is_taken_or_refused_in_one_line(message_of: MessageOf, key: str, value: Any) -> None:
    nested: Any = value
    for part in reversed(key.split(".")):
        nested = {part: nested}
    for message in (message_of(lambda: Config.from_dict(nested)), message_of(lambda: Config().update({key: value}))):
        assert "\n" not in (message or "")


@given(key=st.sampled_from(list(settings())), text=st.text(st.characters(exclude_categories=()), max_size=20))
@example(key="training.lr", text="1e999")
@example(key="training.max_steps", text="9" * 40)
@example(key="tokenizer.path", text="\n")
def test_any_yaml_scalar_is_taken_or_refused(message_of: MessageOf, tmp_path: Path, key: str, text: str) -> None:
    section, _, leaf = key.rpartition(".")
    message = message_of(lambda: load_config("teacher", overrides=[f"{key}={text}"]))
    assert message is None or "--set" in message or section in message
    assume(section)
    path = tmp_path / "f.yaml"
    path.write_bytes(f"{section}:\n  {leaf}: {text}\n".encode("utf-8", "surrogatepass"))
    message = message_of(lambda: load_config(file=path))
    assert message is None or str(path) in message


@given(st.dictionaries(st.one_of(st.text(), st.integers(), st.none()), anything, max_size=3))
def test_any_mapping_is_taken_or_refused(message_of: MessageOf, values: dict[Any, Any]) -> None:
    message = message_of(lambda: Config.from_dict(values))
    assert (message is None) == (not values)  # no setting has a name that hypothesis comes upon


def test_the_lines_of_a_recipe_are_those_of_its_file() -> None:
    _, found = load_yaml(recipe_path("teacher"))
    line = found[("model", "n_embd")]
    text = recipe_path("teacher").read_text(encoding="utf-8").splitlines()[line - 1]
    assert text.strip().startswith("n_embd:")


@pytest.mark.parametrize("name", ["techer", "Teacher", "raeder", "alpca"])
def test_a_misspelt_recipe_in_a_file_is_an_error(tmp_path: Path, name: str) -> None:
    """Not a training with defaults that nobody asked for."""
    path = tmp_path / "config.yaml"
    path.write_text(f"# mine\nrecipe: {name}\ndescription: one\n", encoding="utf-8")
    with pytest.raises(
        ConfigError, match=rf"config.yaml:2: unknown recipe '{name}', did you mean '\w+'\?; there are: "
    ):
        load_config(file=path)
    assert load_config(file=path, stored=True).recipe == name  # the complete settings of a run


@pytest.mark.parametrize("name", ["custom", "mine", "teacher2", "my-teacher", "鲸"])
def test_a_name_of_ones_own_is_none(tmp_path: Path, name: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"recipe: {name}\n", encoding="utf-8")
    assert load_config(file=path).recipe == name


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        (["training.max_steps=0"], "--set: training.max_steps: "),
        ([Override("training.max_steps=0", "--steps")], "--steps: training.max_steps: "),
        ([Override("training.max_steps=0", "--steps"), "training.max_steps=0"], "--set: training.max_steps: "),
        (["model.n_head=7"], "--set: model: n_embd (256) must be"),
        (["training.trainable_blocks=90"], "--set: settings: training.trainable_blocks (90)"),
        ([Override("training.lr=1e-9", "--rate")], "--rate: training: min_lr "),
    ],
)
def test_an_error_names_the_option_that_set_it(changes: list[str], where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("teacher", overrides=changes)
    assert str(caught.value).startswith(where)


def test_an_error_of_the_file_names_its_line_whatever_options_say(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("recipe: teacher\nmodel:\n  n_head: 7\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(file=file, overrides=["training.max_steps=5", "model.n_layer=2"])
    assert str(caught.value).startswith(f"{file}:2: model: n_embd (256)")


@pytest.mark.parametrize(
    "item", ["training.max_steps=1e60", "training.max_epochs=1e308", "training.log_interval=10e30"]
)
def test_numbers_that_no_file_could_hold_are_refused(item: str) -> None:
    with pytest.raises(ConfigError, match=r"allowed: a (whole )?number"):
        load_config("teacher", overrides=[item])
