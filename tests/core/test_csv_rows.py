"""Tables of a spreadsheet as a corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import DataError
from core.records import Record, read_records


def read(tmp_path: Path, content: str | bytes, name: str = "questions.csv") -> list[Record]:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_records(path))


def refusal(tmp_path: Path, content: str | bytes, name: str = "questions.csv") -> str:
    with pytest.raises(DataError) as caught:
        read(tmp_path, content, name)
    return str(caught.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize(
    "content",
    [
        "prompt,completion\n什么是水？,水\n",
        "\ufeffprompt;completion\r\n什么是水？;水\r\n;\r\n",
        'sep=;\r\n"prompt";"completion"\r\n"什么是水？";"水"',
        " completion ,kind, prompt \n水,a,什么是水？",
        "问题,答案\n什么是水？,水\n\n",
        "\n;;\nquestion;answer;\n什么是水？;水;\n",
        '"a, b, c";question;answer\nx;什么是水？;水\n',
        "sep=|\r\nquestion|answer\r\n什么是水？|水\r\n",
        "question,answer,\r什么是水？,水\r",
        "prompt\tcompletion\tkind\n什么是水？\t水\n",
    ],
)
def test_questions_and_answers(tmp_path: Path, content: str) -> None:
    (record,) = read(tmp_path, content)
    assert (record.prompt, record.completion) == ("什么是水？", "水")


def test_tabs_and_other_columns(tmp_path: Path) -> None:
    rows = "instruction\tinput\toutput\nTranslate\tWasser, bitte\twater\nSay no\t\tno\n"
    found = read(tmp_path, rows, "rows.tsv")
    assert [(r.turns[0].prompt, r.turns[0].context, r.completion) for r in found] == [
        ("Translate", "Wasser, bitte", "water"), ("Say no", "", "no"),
    ]  # fmt: skip


def test_cells_of_several_lines_and_with_quotes(tmp_path: Path) -> None:
    assert read(tmp_path, "") == read(tmp_path, "\n;\n") == read(tmp_path, "prompt,completion\n") == []
    found = read(tmp_path, 'prompt,completion\n"a\r\n  b","say ""c"", d"\ne,f\n')
    assert [(r.prompt, r.completion, r.where[-1]) for r in found] == [("a\n  b", 'say "c", d', "2"), ("e", "f", "4")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("prompt,completion\na,b\nc,\n", "questions.csv:3: 'completion' is empty"),
        ("prompt,completion\na,b,c\n", 'questions.csv:2: 3 cells, but 2 columns; a cell with a "," in it needs quotes'),
        ("sep=,\nprompt,completion\na,b,c\n", "questions.csv:3: 3 cells, but 2 columns"),
        ('prompt,completion\na,"b\n', "questions.csv:2: not a table: unexpected end of data"),
        ("what,is\na,b\n", "questions.csv:2: no question and answer found"),
        ("prompt,completion\n中文,水\n".encode("gbk"), "questions.csv:2: not UTF-8 text; save the file as UTF-8"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, content: str | bytes, said: str) -> None:
    assert refusal(tmp_path, content).startswith(said)


@pytest.mark.parametrize("name", ["a.xlsx", "b.DOCX", "c.pdf"])
def test_files_of_an_office_are_no_text(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path, b"PK\3\4", name).endswith("is not text; save it as .csv (UTF-8)")
