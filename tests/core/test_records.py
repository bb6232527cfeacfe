"""Files to records, with file and line in every error."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core import records
from core.errors import DataError
from core.records import Record, RowsOfFile, Turn, bundled_file, find_data, read_records

WriteRows = Callable[..., Path]


def read(path: Path) -> list[Record]:
    return list(read_records(path))


def write(folder: Path, data: bytes | str, name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8"))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- forms of rows


@pytest.mark.parametrize(
    ("row", "turn"),
    [
        ({"prompt": "问", "completion": "答"}, Turn("问", "答")),
        ({"query": "问", "answer": "答"}, Turn("问", "答")),
        ({"question": "问", "answer": "答"}, Turn("问", "答")),
        ({"prompt": 1, "completion": 2.5}, Turn("1", "2.5")),
        ({"prompt": " 问 ", "completion": " 答\n"}, Turn(" 问 ", " 答\n")),
        ({"instruction": "问", "output": "答"}, Turn("问", "答")),
        ({"instruction": "问", "input": "", "output": "答"}, Turn("问", "答")),
        ({"instruction": "问", "input": None, "output": "答"}, Turn("问", "答")),
        ({"instruction": "问", "input": " 文 ", "output": "答"}, Turn("问", "答", "文")),
        ({"prompt": "a\u2028b", "completion": "c\x85d"}, Turn("a\u2028b", "c\x85d")),
    ],
)
def test_a_question_and_its_answer(write_rows: WriteRows, row: dict[str, Any], turn: Turn) -> None:
    (record,) = read(write_rows([row]))
    assert record.turns == (turn,)
    assert (record.prompt, record.completion, record.text, record.system) == (turn.prompt, turn.completion, "", "")


def test_the_first_form_that_fits_counts(write_rows: WriteRows) -> None:
    (record,) = read(write_rows([{"text": "t", "answer": "b", "query": "a", "completion": "d", "prompt": "c"}]))
    assert record.turns == (Turn("c", "d"),)


@pytest.mark.parametrize("row", [{"text": " 春眠\n"}, " 春眠\n"], ids=["object", "string"])
def test_a_text(write_rows: WriteRows, row: Any) -> None:
    (record,) = read(write_rows([row]))
    assert (record.text, record.turns, record.prompt, record.completion) == (" 春眠\n", (), "", " 春眠\n")


def test_a_conversation(write_rows: WriteRows) -> None:
    def message(role: str, content: str) -> dict[str, str]:
        return {"role": role, "content": content}

    messages = [
        message("system", "S1"), message("developer", "S2"),
        message("user", "a"), message("user", "b"), message("assistant", "c"),
        message("User", "d"), message("assistant", "e"), message("user", "never answered"),
    ]  # fmt: skip
    (record,) = read(write_rows([{"messages": messages}]))
    assert record.system == "S1\nS2"
    assert record.turns == (Turn("a\nb", "c"), Turn("d", "e"))
    assert (record.prompt, record.completion) == ("d", "e")


def test_a_conversation_as_sharegpt_writes_it(write_rows: WriteRows) -> None:
    row = {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}
    assert read(write_rows([row]))[0].turns == (Turn("a", "b"),)


def test_what_the_corpus_says_about_a_row_is_kept(write_rows: WriteRows) -> None:
    path = write_rows([{"prompt": "a", "completion": "b", "fact": "f1", "kind": "fixed"}, {"text": "t", "fact": 3}])
    first, second = read(path)
    assert (first.fact, first.kind, first.where) == ("f1", "fixed", f"{path}:1")
    assert (second.fact, second.kind, second.where) == ("3", "", f"{path}:2")
    assert first.key() == Record(turns=(Turn("a", "b"),)).key()


# --- files


def test_blank_lines_a_byte_order_mark_and_windows_line_ends_are_no_trouble(tmp_path: Path) -> None:
    row = b'{"prompt": "a", "completion": "b"}'
    path = write(tmp_path, b"\xef\xbb\xbf" + row + b"\r\n\r\n  \n" + row)
    assert [record.where for record in read(path)] == [f"{path}:1", f"{path}:4"]


def test_lines_end_at_line_feeds_only(tmp_path: Path) -> None:
    path = write(tmp_path, '{"prompt": "a\u2028b\x85c\u2029", "completion": "d"}\n')
    assert read(path)[0].prompt == "a\u2028b\x85c\u2029"


def test_a_json_array(tmp_path: Path) -> None:
    rows = [{"prompt": "a", "completion": "b"}, "text"]
    path = write(tmp_path, "\ufeff \n" + json.dumps(rows, indent=1), "rows.json")
    assert [(r.completion, r.where) for r in read(path)] == [("b", f"{path}: row 1"), ("text", f"{path}: row 2")]


@pytest.mark.parametrize("name", ["a.txt", "a.md", "A.TXT"])
def test_a_plain_text_is_one_record(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, "\ufeff一\r\n\n[二]\n", name)
    assert read(path) == [Record(text="一\n\n[二]\n", where=f"{path}:1")]


@pytest.mark.parametrize("name", ["a.jsonl", "a.txt", "a.json"])
@pytest.mark.parametrize("data", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_an_empty_file_has_no_rows(tmp_path: Path, name: str, data: bytes) -> None:
    assert read(write(tmp_path, data, name)) == []


def test_an_empty_array_has_no_rows(tmp_path: Path) -> None:
    assert read(write(tmp_path, "[]")) == []


# --- what cannot be used

GOOD = '{"prompt": "a", "completion": "b"}\n'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not valid JSON: "),
        ('{"prompt": "a" "completion": "b"}', "not valid JSON: Expecting ',' delimiter at character 16"),
        ("3", "expected an object such as"),
        ("null", "expected an object such as"),
        ('["a", "b"]', "expected an object such as"),
        ("{}", "no question and answer found"),
        ('{"prompt": "a", "respnse": "b"}', "no question and answer found"),
        ('{"prompt": "", "completion": "b"}', "'prompt' is empty"),
        ('{"prompt": "a", "completion": " \\n"}', "'completion' is empty"),
        ('{"query": "a", "answer": null}', "'answer' must be text, found nothing"),
        ('{"prompt": "a", "completion": ["b"]}', "'completion' must be text, found a list"),
        ('{"prompt": "a", "completion": {"b": 1}}', "'completion' must be text, found an object"),
        ('{"prompt": true, "completion": "b"}', "'prompt' must be text, found true/false"),
        ('{"prompt": "a", "completion": NaN}', "'completion' must be text, found NaN"),
        ('{"instruction": "a", "input": NaN, "output": "b"}', "'input' must be text, found NaN"),
        ('{"instruction": "a", "output": ""}', "'output' is empty"),
        ('{"text": "  "}', "'text' is empty"),
        ('""', "'text' is empty"),
        ("[" * 100_000, "nested too deeply"),
        ('{"prompt": ' + "9" * 10_000 + "}", "nested too deeply or a number too long"),
        ('{"messages": "a"}', "no question and answer found"),
        ('{"messages": []}', "the conversation has no answer to learn from"),
        ('{"messages": [3]}', "message 1: expected an object"),
        ('{"messages": [{"role": "tool", "content": "a"}]}', "message 1: 'role' must be system, user or assistant"),
        ('{"messages": [{"content": "a"}]}', "message 1: 'role' must be system, user or assistant"),
        ('{"messages": [{"role": "user", "content": ""}]}', "message 1: 'content' must be text and not empty"),
        ('{"messages": [{"role": "user", "content": ["a"]}]}', "message 1: 'content' must be text and not empty"),
        ('{"messages": [{"role": "assistant", "content": "a"}]}', "message 1: an answer without a question before it"),
        (
            '{"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]}',
            "message 2: a system message must come first",
        ),
        ('{"conversations": [{"from": "gpt", "value": "a"}]}', "message 1: an answer without a question before it"),
    ],
    ids=lambda value: value[:40],
)
def test_a_row_that_cannot_be_used_names_file_and_line(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path, GOOD + "\n" + line + "\n" + GOOD)
    assert refusal(path).startswith(f"{path}:3: {message}")


@pytest.mark.parametrize("data", [b'{"prompt": "\xff"}', '{"prompt": "中"}'.encode("gbk")])
def test_a_row_that_is_not_utf8_names_file_and_line(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path, GOOD.encode() + data)
    assert refusal(path) == f"{path}:2: not UTF-8 text; save the file as UTF-8 (not GBK, say)"


def test_rows_before_a_broken_one_are_given(tmp_path: Path) -> None:
    rows = read_records(write(tmp_path, GOOD + "{"))
    assert next(rows).prompt == "a"
    with pytest.raises(DataError):
        next(rows)


def test_a_row_of_an_array_that_cannot_be_used_names_file_and_row(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps([json.loads(GOOD), {"prompt": "a"}]))
    assert refusal(path).startswith(f"{path}: row 2: no question and answer found")
    path = write(tmp_path, "[\n{]")
    assert refusal(path).startswith(f"{path}:2: not valid JSON: ")


def test_the_keys_that_were_found_are_named(write_rows: WriteRows) -> None:
    assert refusal(write_rows([{"q": "a", "a": "b"}])).endswith("found the keys: q, a")
    assert refusal(write_rows([{}])).endswith("found the keys: none")


def test_a_line_without_end_is_not_read_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_LINE", 100)
    path = write(tmp_path, GOOD + "x" * 101)
    assert refusal(path) == f"{path}:2: the line is longer than 100 bytes"


@pytest.mark.parametrize("name", ["missing.jsonl", "missing.txt", ".", "a\0b.jsonl", "a" * 5000])
def test_a_file_that_cannot_be_read_is_a_data_error(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path / name).startswith(str(tmp_path))


# --- any bytes at all

json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(exclude_categories=()))),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)
words = st.one_of(st.text(st.characters(exclude_categories=()), max_size=8), json_values)
messages = st.lists(
    st.one_of(
        st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant", "x"]), "content": words}),
        json_values,
    ),
    max_size=4,
)
names = ["prompt", "completion", "query", "answer", "instruction", "input", "output", "text", "fact", "kind"]
rows = st.one_of(
    json_values,
    st.dictionaries(st.sampled_from(names), words, max_size=5),
    st.fixed_dictionaries({"messages": messages}, optional={"kind": words}),
)
lines = st.one_of(st.binary(max_size=30), rows.map(lambda row: json.dumps(row).encode()))


@given(st.lists(lines, max_size=5))
@example([b"\xff\xfe{\x00}\x00"])
@example([b'{"prompt": "a", "completion": "\xed\xa0\x80", "kind": "\\ud800"}'])
@example([b"\x00\x00\x00{"])
def test_any_bytes_are_records_or_a_data_error_with_file_and_line(
    message_of: Any, tmp_path: Path, parts: list[bytes]
) -> None:
    path = write(tmp_path, b"\n".join(parts))
    found: list[Record] = []
    message = message_of(lambda: found.extend(read_records(path)))
    if message is not None:
        place = re.match(
            re.escape(str(path)) + r":(\d+): |" + re.escape(str(path)) + r": (row \d+: |not valid JSON)", message
        )
        assert place, message
        assert place[1] is None or 1 <= int(place[1]) <= path.read_bytes().count(b"\n") + 1
    for record in found:
        repr(record).encode("utf-8")  # no lone surrogate is left anywhere
        assert record.completion.strip()


# --- finding files


def test_a_bundled_file_is_found_by_its_short_and_its_long_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("teacher/train.jsonl", "data/teacher/train.jsonl"):
        assert find_data(name).is_file()
    assert bundled_file("config.yaml").is_file()


def test_a_file_here_counts_more_than_a_bundled_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "teacher").mkdir()
    mine = write(tmp_path / "teacher", GOOD, "train.jsonl")
    assert find_data("teacher/train.jsonl").resolve() == mine.resolve()


def test_an_absolute_path_is_taken_as_it_is(tmp_path: Path) -> None:
    assert find_data(str(tmp_path / "no.jsonl")) == tmp_path / "no.jsonl"


def test_home_may_be_written_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_data("~/rows.jsonl") == tmp_path / "rows.jsonl"


@pytest.mark.parametrize(
    "name", ["no/such.jsonl", "a" * 5000, "~no-such-user/x.jsonl", "a\0b", "\ud800", "\udcb5.jsonl"]
)
def test_what_is_nowhere_is_a_data_error(name: str) -> None:
    with pytest.raises(DataError):
        read(find_data(name))


@pytest.mark.parametrize("name", ["nope.jsonl", "data/nope.jsonl"])
def test_what_is_nowhere_is_named_as_it_was_asked_for(name: str) -> None:
    with pytest.raises(DataError, match=f"^{name}: no such file here and none bundled"):
        find_data(name)


@pytest.mark.parametrize(
    "row",
    [
        r'{"prompt": "a\ud800", "completion": "b\udfff"}',
        r'{"instruction": "a\ud800", "output": "b\udfff", "input": "c\ud800"}',
        r'{"messages": [{"role": "user", "content": "a\ud800"}, {"role": "assistant", "content": "b\udfff"}]}',
        r'{"text": "a\ud800"}',
        r'"a\ud800"',
    ],
)
def test_half_a_character_becomes_a_replacement(tmp_path: Path, row: str) -> None:
    """Which JSON can write, and no tokenizer takes."""
    (record,) = read(write(tmp_path, row))
    for text in (record.prompt, record.completion, *(turn.context for turn in record.turns)):
        assert text.encode("utf-8").decode("utf-8") == text
    assert "\ufffd" in record.completion


def test_rows_that_differ_in_the_system_message_alone_are_two() -> None:
    turns = (Turn("a", "b"),)
    assert Record(turns, system="s").key() != Record(turns, system="t").key() != Record(turns).key()
    assert Record(turns, fact="f", kind="k", where="x:1").key() == Record(turns).key()


def test_rows_of_a_file_that_was_edited_to_the_same_length_are_not_read(tmp_path: Path) -> None:
    path = write(tmp_path, '{"text": "a"}\n')
    os.utime(path, (1e9, 1e9))
    rows = RowsOfFile(path, np.asarray([0]), np.asarray([1]))
    assert rows[0].text == "a"
    path.write_bytes(b'{"text": "b"}\n')
    with pytest.raises(DataError, match="has changed since it was read"):
        rows[0]
    other = write(tmp_path, '{"text": "c"}\n', "other.jsonl")
    rows = RowsOfFile(path, np.asarray([0]), np.asarray([1]))
    os.utime(other, ns=(path.stat().st_mtime_ns,) * 2)
    os.replace(other, path)
    with pytest.raises(DataError, match="has changed since it was read"):
        rows[0]
