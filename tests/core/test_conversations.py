"""Rows on one text become turns of one conversation."""

from __future__ import annotations

from core.conversations import join_questions
from core.records import Record, Turn


def row(prompt: str, answer: str, **more: str) -> Record:
    return Record(turns=(Turn(prompt, answer),), **more)


ROWS = [
    row("甲\n\n乙\n\n谁？", "一", kind="person", where="x:1"),
    row("甲\n\n乙\n\n何时？", "二", kind="date", where="x:2"),
    row("甲\n\n乙\n\n何地？", "三", kind="place", where="x:3"),
    row("丙\n\n谁？", "四", kind="person", where="x:4"),
    row("没有空行", "五"),
    row("没有空行", "六"),
]


def turns(rows: list[Record]) -> list[list[tuple[str, str]]]:
    return [[(t.prompt, t.completion) for t in r.turns] for r in rows]


def test_neighbours_on_one_text_are_joined_and_the_text_stands_once() -> None:
    joined = list(join_questions(ROWS, 8))
    assert turns(joined) == [
        [("甲\n\n乙\n\n谁？", "一"), ("何时？", "二"), ("何地？", "三")],
        [("丙\n\n谁？", "四")],
        [("没有空行", "五")],
        [("没有空行", "六")],
    ]
    assert joined[0].where == "x:1", "an error still names a line"
    assert joined[0].kind == "", "it is of several kinds"
    assert joined[1] is ROWS[3]


def test_at_most_so_many_and_none_lost() -> None:
    assert turns(list(join_questions(ROWS, 2)))[:2] == [
        [("甲\n\n乙\n\n谁？", "一"), ("何时？", "二")],
        [("甲\n\n乙\n\n何地？", "三")],
    ]
    assert list(join_questions(ROWS, 1)) == ROWS
    assert not list(join_questions([], 4))


def test_what_is_no_single_question_stays_alone() -> None:
    rows = [
        Record(turns=(Turn("甲\n\n谁？", "一"), Turn("甲\n\n何时？", "二"))),
        row("甲\n\n何地？", "三", system="短"),
        Record(turns=(Turn("甲\n\n多久？", "四", context="乙"),)),
        Record(text="甲\n\n多久？"),
        Record(text="甲\n\n多久？"),
    ]
    assert list(join_questions(rows, 8)) == rows
