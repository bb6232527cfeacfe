"""The chat template against the code that makes the prompts of the training."""

from __future__ import annotations

from functools import cache

import jinja2.sandbox
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.interop.chat_template import chat_template
from core.records import Turn
from core.template import TEMPLATES

#: As transformers sets it up.
JINJA = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)


@cache
def compiled(name: str, clean: bool) -> jinja2.Template:
    return JINJA.from_string(chat_template(TEMPLATES[name], clean))


def rendered(name: str, messages: list[dict[str, str]], clean: bool = True) -> str:
    return compiled(name, clean).render(
        messages=messages, bos_token="<bos>", eos_token="<eos>", add_generation_prompt=True
    )


def prompt(name: str, question: str, history: tuple[Turn, ...] = (), system: str = "") -> str:
    """The prompt as text, special tokens by their names."""
    template = TEMPLATES[name]
    text = "<bos>" if template.bos else ""
    for segment in template.prompt_segments(Turn(question), history, system):
        text += segment.text + ("<eos>" if segment.learn or segment.closed else "")
    return text


# What clean_prompt looks at: Chinese and other characters, both blanks, question marks, ends of lines.
hard = st.text(st.sampled_from("李，a? \u3000？\n\r7")) | st.text()


@pytest.mark.parametrize("name", TEMPLATES)
@given(question=hard)
def test_any_question_is_cleaned_as_in_training(name: str, question: str) -> None:
    assert rendered(name, [{"role": "user", "content": question}]) == prompt(name, question)


@pytest.mark.parametrize("name", TEMPLATES)
@given(questions=st.lists(hard, min_size=2, max_size=4), answer=st.text(min_size=1), system=st.text(min_size=1))
def test_any_conversation(name: str, questions: list[str], answer: str, system: str) -> None:
    messages = [{"role": "system", "content": system}]
    for question in questions[:-1]:
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    messages.append({"role": "user", "content": questions[-1]})
    history = tuple(Turn(question, completion=answer) for question in questions[:-1])
    assert rendered(name, messages) == prompt(name, questions[-1], history, system)


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_simple_form_only_trims(name: str) -> None:
    source = chat_template(TEMPLATES[name], clean=False)
    assert "macro" not in source and "namespace" not in source
    messages = [{"role": "user", "content": "  什么是水？\n"}]
    assert rendered(name, messages, clean=False) == prompt(name, "什么是水？")
    assert "什么是水?" in rendered(name, [{"role": "user", "content": "什么是水?"}], clean=False)
