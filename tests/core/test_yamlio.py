"""YAML read the way a person means it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from core.yamlio import MAX_BYTES, dump_yaml, load_yaml, parse_scalar, parse_yaml


def read(text: str) -> Any:
    return parse_yaml(text, "f.yaml")[0]


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "f.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3e-4", 3e-4),
        ("1E5", 1e5),
        ("1.5e3", 1500.0),
        ("-.5", -0.5),
        ("2.", 2.0),
        ("1_000", 1000),
        ("+3", 3),
        ("08", 8),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("0x1f", "0x1f"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        (".inf", ".inf"),
        ("nan", "nan"),
        ('"3"', "3"),
        ("'true'", "true"),
        ("!!str 3", "3"),
        ("什么是注意力？", "什么是注意力？"),
        ("[1, a, 2e1]", [1, "a", 20.0]),
        ("{a: {b: 1}}", {"a": {"b": 1}}),
    ],
)
def test_a_scalar_is_what_it_looks_like(text: str, value: Any) -> None:
    found = read(f"key: {text}")["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["", "# a comment\n", "---\n", "~"])
def test_an_empty_file_is_an_empty_mapping(text: str) -> None:
    assert read(text) == {}


def test_every_key_has_its_line() -> None:
    _, lines = parse_yaml("a: 1\n\nb:\n  c: 2\n  d:\n    - x\n    - e: 3\n", "f.yaml")
    assert lines[("a",)] == 1
    assert lines[("b",)] == 3
    assert lines[("b", "c")] == 4
    assert lines[("b", "d", 1, "e")] == 7


@pytest.mark.parametrize(
    ("text", "line", "key"), [("a: 1\nb: 2\na: 3\n", 3, "a"), ("t:\n  lr: 1\n  x: 2\n  lr: 3\n", 4, "lr")]
)
def test_a_key_given_twice_is_refused(text: str, line: int, key: str) -> None:
    assert refusal(text) == f"f.yaml:{line}: not valid YAML: the key '{key}' is given twice"


LAUGHS = "a0: &a0 [lol, lol]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 20))


@pytest.mark.parametrize(
    "text",
    [LAUGHS, "a: &x 1\nb: *x\n", "a: &x [*x]\n", "a: &x {b: 1}\nc:\n  <<: *x\n"],
    ids=["billion laughs", "plain", "of itself", "merge key"],
)
def test_aliases_are_refused_before_they_grow(text: str) -> None:
    assert "anchors and aliases are not allowed" in refusal(text)


@pytest.mark.parametrize(
    "text",
    ["a: " + "[" * 100_000, "a: " + "{b: " * 100_000, "a: " + "[" * 30 + "]" * 30],
    ids=["lists", "mappings", "well-formed"],
)
def test_deep_nesting_is_refused(text: str) -> None:
    assert refusal(text).startswith("f.yaml")


def test_a_number_of_many_digits_is_refused_with_its_line() -> None:
    assert refusal("a: 1\nb: " + "9" * 100_000) == "f.yaml:2: not valid YAML: a number of over 40 digits"


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: [1\nb: 2\n", 2), ("a: 1\n b: 2\n", 2), ("a: 'x\n", 2), ("a:\n\t- 1\n", 2), ("? [a]\n: 1", 1)],
)
def test_broken_yaml_names_the_line(text: str, line: int) -> None:
    assert refusal(text).startswith(f"f.yaml:{line}: not valid YAML: ")


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words", "3"])
def test_what_is_not_a_mapping_is_refused(text: str) -> None:
    assert refusal(text) == "f.yaml:1: expected 'key: value' lines, found something else"


def test_tags_make_no_objects(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    assert read(f"a: !!python/object/apply:os.mkdir ['{mark}']") == {"a": [str(mark)]}
    assert not mark.exists()


@pytest.mark.parametrize("text", ["!!int x", "!!float x", "!!int ''"])
def test_a_tag_that_does_not_fit_is_a_config_error(text: str) -> None:
    assert refusal(f"a: {text}").startswith("f.yaml: not valid YAML: ")


@pytest.mark.parametrize("data", ["\ufeffa: 1\nb: 鲸\n".encode(), "a: 1\r\nb: 鲸\r\n".encode()])
def test_a_file_may_have_a_byte_order_mark_and_windows_line_ends(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(data)
    values, lines = load_yaml(path)
    assert values == {"a": 1, "b": "鲸"}
    assert lines[("b",)] == 2


@pytest.mark.parametrize(
    "data",
    [b"a: \xff\n", b"a: \x00\n", "a: 1\n".encode("utf-16"), b"#" * (MAX_BYTES + 1)],
    ids=["not UTF-8", "NUL", "UTF-16", "too large"],
)
def test_a_file_that_is_no_text_is_a_config_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"f\.yaml"):
        load_yaml(path)


@pytest.mark.parametrize("name", ["missing.yaml", ".", "a\0b"])
def test_a_file_that_cannot_be_read_is_a_config_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        load_yaml(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("", ""),
        ("true", True),
        ("[a, b]", ["a", "b"]),
        ("teacher", "teacher"),
        ("~", None),
        ("no", "no"),
    ],
)
def test_the_value_of_an_override(text: str, value: Any) -> None:
    assert parse_scalar(text) == value


pieces = st.sampled_from(
    ["a", ": ", "- ", "\n", "  ", "[", "]", "{", "}", ",", "'", '"', "&x", "*x", "!!int", "!", "|", ">", "?", "#", "\\",
     "%YAML 1.1", "---", "...", "1e5", "true", "\t", "\r", "\0", "\x85", "\u2028", "\ufeff", "鲸", "\ud800", "<<", "="]
)  # fmt: skip
texts = st.one_of(st.text(st.characters(exclude_categories=())), st.lists(pieces, max_size=12).map("".join))


@given(texts)
def test_any_text_is_a_mapping_or_a_config_error(message_of: Any, text: str) -> None:
    message = message_of(lambda: parse_yaml(text, "f.yaml"))
    if message is None:
        value, lines = parse_yaml(text, "f.yaml")
        assert all((key,) in lines for key in value)
    else:
        assert message.startswith("f.yaml:")


@given(texts)
def test_any_override_is_a_value_or_a_config_error(message_of: Any, text: str) -> None:
    message = message_of(lambda: parse_scalar(text))
    assert message is None or message.startswith("--set:")


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**38), 10**38),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.lists(pieces.filter(lambda piece: piece != "\ud800"), max_size=5).map("".join),
    st.from_regex(r"\A[-+]?[0-9]*\.?[0-9]*([eE][-+]?[0-9]+)?\Z"),
    st.sampled_from(
        ["no", "yes", "on", "~", "null", "08", "1e5", "1_0", "0x1f", "1:30", "2024-01-01", "=", "<<", "- a"]
    ),
)
values = st.dictionaries(
    st.text(min_size=1, max_size=8),
    st.recursive(
        scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
        max_leaves=6,
    ),
    max_size=4,
)  # fmt: skip


@given(values)
def test_what_is_written_is_read_back_the_same(value: dict[str, Any]) -> None:
    found, _ = parse_yaml(dump_yaml(value), "f.yaml")
    assert found == value
    assert repr(found) == repr(value)  # 1, 1.0 and True are equal but not the same


def test_chinese_stays_readable_and_keys_stay_in_order() -> None:
    assert dump_yaml({"b": "注意力", "a": 1}) == "b: 注意力\na: 1\n"
