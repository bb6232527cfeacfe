"""How a question becomes a prompt, in training and in use alike."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.records import Record, Turn
from core.template import TEMPLATES, Segment, Template, clean_prompt

words = st.text(st.characters(exclude_categories=()), min_size=1).filter(str.strip)
turns = st.builds(Turn, words, words, st.one_of(st.just(""), words))


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("什么是注意力？", "什么是注意力？"),
        ("  什么是注意力？\n", "什么是注意力？"),
        ("什么是注意力?", "什么是注意力？"),
        ("什么 是 注 意 力 ?", "什么是注意力？"),
        ("什么　是　注意力？", "什么是注意力？"),
        ("什么是 GPT 模型?", "什么是 GPT 模型？"),
        ("什么是GPT?", "什么是GPT?"),
        ("What is GPT?", "What is GPT?"),
        ("a  b", "a  b"),
        ("注意力?真的?", "注意力?真的？"),
        ("一 ， 二", "一，二"),
        ("一\n二", "一\n二"),
        ("一\r\n二", "一\n二"),
        ("カ タ", "カタ"),
        ("\u3000问\u3000", "问"),
        ("", ""),
        (" \n", ""),
    ],
)
def test_what_people_type_differently_becomes_one_form(text: str, clean: str) -> None:
    assert clean_prompt(text) == clean


@given(st.text(st.sampled_from("中文？?。 \u3000ab\n，GPT1")))
@example("a\u3000 \u3000b")
@example("中 ?\n")
@example("中\u3000?")
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert clean_prompt(clean_prompt(text)) == clean_prompt(text)


def test_long_runs_of_blanks_take_no_time() -> None:
    begin = time.process_time()
    for blank in (" ", "\u3000", "中 ", "中\u3000"):
        clean_prompt("中" + blank * 100_000 + "a?")
    assert time.process_time() - begin < 2


@given(st.text(st.characters(codec="ascii")))
def test_ascii_loses_only_its_outer_blanks(text: str) -> None:
    assert clean_prompt(text) == text.replace("\r\n", "\n").strip()


def test_the_teacher_template_word_for_word() -> None:
    record = Record(turns=(Turn("什么是注意力?", "权重。"), Turn("然后 呢", "没有了。")), system="你是老师")
    assert TEMPLATES["teacher"].segments(record) == [
        Segment("系统:你是老师\n用户:什么是注意力？\n助手:", learn=False),
        Segment("权重。", learn=True),
        Segment("\n用户:然后呢\n助手:", learn=False),
        Segment("没有了。", learn=True),
    ]
    assert TEMPLATES["teacher"].bos


HEAD = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the request."
    "\n\n### Instruction:\n"
)


@pytest.mark.parametrize(
    ("turn", "prompt"),
    [
        (Turn("Add.", "3"), f"{HEAD}Add.\n\n### Response:\n"),
        (Turn("Add.", "3", "1 and 2"), f"{HEAD}Add.\n\n### Input:\n1 and 2\n\n### Response:\n"),
    ],
)
def test_the_alpaca_template_word_for_word(turn: Turn, prompt: str) -> None:
    assert TEMPLATES["alpaca"].segments(Record(turns=(turn,))) == [Segment(prompt, False), Segment("3", True)]
    assert not TEMPLATES["alpaca"].bos


def test_the_plain_template_adds_nothing() -> None:
    assert TEMPLATES["plain"].segments(Record(turns=(Turn("a", "b"),))) == [Segment("a", False), Segment("b", True)]


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_a_text_is_learnt_whole_and_as_it_is(template: Template) -> None:
    assert template.segments(Record(text=" 春 眠?\n")) == [Segment(" 春 眠?\n", learn=True)]


def test_braces_in_texts_are_text() -> None:
    record = Record(turns=(Turn("{text} {0}", "{}"),), system="{x}")
    assert TEMPLATES["teacher"].segments(record)[0].text == "系统:{x}\n用户:{text} {0}\n助手:"


def test_names_match() -> None:
    assert {name: template.name for name, template in TEMPLATES.items()} == {name: name for name in TEMPLATES}


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
@given(
    history=st.lists(turns, max_size=3), turn=turns, system=st.one_of(st.just(""), words), blanks=st.text(" \n\t\u3000")
)
def test_a_prompt_in_use_is_the_one_trained_on(
    template: Template, history: list[Turn], turn: Turn, system: str, blanks: str
) -> None:
    """Fault 10: prompts stripped of blanks in use, but not in training."""
    trained = template.segments(Record(turns=(*history, turn), system=system))
    typed = Turn(blanks + turn.prompt + blanks, "", turn.context)
    assert template.prompt_segments(typed, tuple(history), system) == trained[:-1]
    assert [segment.learn for segment in trained] == [False, True] * (len(history) + 1)
    assert [segment.text for segment in trained if segment.learn] == [t.completion for t in (*history, turn)]


def test_what_an_input_looked_like_makes_no_difference() -> None:
    plain, typed = Turn("a", "b", "1\n2"), Turn("a", "b", " \r\n1\r\n2\r\n")
    for template in TEMPLATES.values():
        assert template.prompt_segments(typed) == template.prompt_segments(plain)


@pytest.mark.parametrize(
    ("name", "row", "closed"),
    [
        ("seed", "系统:S\n用户:a|\n助手:|b|\n用户:c|\n助手:|d", True),
        ("alpaca", f"S\n{HEAD}a|\n\n### Response:\n|b|\n\n{HEAD}c|\n\n### Response:\n|d", False),
        ("plain", "S\na||b|\nc||d", False),
    ],
)
def test_a_conversation_of_the_other_templates_word_for_word(name: str, row: str, closed: bool) -> None:
    """``|`` stands around what the model goes on from and around each answer."""
    record = Record(turns=(Turn("a", "b"), Turn("c", "d")), system="S")
    first, ahead, one, again, once_more, two = row.split("|")
    assert TEMPLATES[name].segments(record) == [
        Segment(first + ahead, learn=False, closed=closed),
        Segment(one, learn=True),
        Segment(again + once_more, learn=False, closed=closed),
        Segment(two, learn=True),
    ]


def test_what_else_a_template_says() -> None:
    assert {name: (t.bos, t.endless, t.answer_label) for name, t in TEMPLATES.items()} == {
        "teacher": (True, False, "回答:"),
        "seed": (True, False, "回答:"),
        "alpaca": (False, False, "### Response:"),
        "plain": (False, True, ""),
    }
