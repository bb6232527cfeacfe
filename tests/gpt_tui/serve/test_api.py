"""OpenAI's own client against a real server."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from core.generate import answer
from core.runs import LoadedModel

QUESTION = "什么是水？"


@pytest.fixture(scope="module")
def client(served: Any) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0, timeout=60) as found:
        yield found


def chat(client: openai.OpenAI, text: str = QUESTION, **options: Any) -> Any:
    return client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": text}], **options)


def test_a_question_is_answered_as_everywhere_else(client: openai.OpenAI, loaded: LoadedModel, helpers: Any) -> None:
    for question in list(helpers.pairs)[:4]:
        reply = chat(client, question)
        expected = answer(loaded, question)
        assert reply.choices[0].message.content == expected.text
        assert reply.choices[0].message.role == "assistant"
        assert reply.choices[0].finish_reason == "stop"
        assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (expected.prompt_tokens, expected.tokens)
        assert reply.usage.total_tokens == expected.prompt_tokens + expected.tokens
        assert reply.model == "tiny"
        assert reply.object == "chat.completion"
    assert expected.text == helpers.pairs[question]


def test_a_stream_gives_the_same_text_piece_by_piece(client: openai.OpenAI) -> None:
    whole = chat(client)
    chunks = list(chat(client, stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant"
    texts = [chunk.choices[0].delta.content or "" for chunk in chunks[:-1]]
    assert "".join(texts) == whole.choices[0].message.content
    assert len([text for text in texts if text]) > 3
    assert [chunk.choices[0].finish_reason for chunk in chunks[-3:-1]] == [None, "stop"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert len({chunk.id for chunk in chunks}) == 1


def test_without_the_option_a_stream_ends_with_the_reason(client: openai.OpenAI) -> None:
    chunks = list(chat(client, stream=True, max_tokens=2))
    assert chunks[-1].choices[0].finish_reason == "length"


@pytest.mark.parametrize("stop", ["氧", ["x", "氧"], ["和氧组", "氢和氧"]])
def test_stop_strings_end_the_answer_and_are_not_in_it(client: openai.OpenAI, stop: Any) -> None:
    whole = chat(client).choices[0].message.content
    cut = whole.split("氢和氧" if isinstance(stop, list) and "氢和氧" in stop else "氧")[0]
    reply = chat(client, stop=stop)
    assert reply.choices[0].message.content == cut
    assert reply.choices[0].finish_reason == "stop"
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chat(client, stop=stop, stream=True))
    assert streamed == cut


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_length_is_limited(client: openai.OpenAI, name: str) -> None:
    reply = chat(client, **{name: 2})
    assert reply.usage.completion_tokens == 2
    assert reply.choices[0].finish_reason == "length"
    assert chat(client, **{name: 10**9}).choices[0].finish_reason == "stop"


def test_a_seed_repeats_a_draw(client: openai.OpenAI) -> None:
    def draw(seed: int) -> str:
        return str(chat(client, "再说一句", temperature=2.0, seed=seed, max_tokens=12).choices[0].message.content)

    assert draw(1) == draw(1)
    assert len({draw(seed) for seed in range(4)}) > 1


def test_a_draw_from_the_likeliest_alone_is_no_draw(client: openai.OpenAI) -> None:
    greedy = chat(client, temperature=0).choices[0].message.content
    assert chat(client, temperature=2.0, top_p=0).choices[0].message.content == greedy
    assert chat(client, temperature=2.0, extra_body={"top_k": 1}).choices[0].message.content == greedy


def test_probabilities_of_tokens(client: openai.OpenAI, loaded: LoadedModel) -> None:
    reply = chat(client, logprobs=True, top_logprobs=3)
    entries = reply.choices[0].logprobs.content
    assert len(entries) == reply.usage.completion_tokens
    for entry in entries:
        assert [top.logprob for top in entry.top_logprobs] == sorted(
            (t.logprob for t in entry.top_logprobs), reverse=True
        )
        assert len(entry.top_logprobs) == 3
        assert math.isclose(entry.top_logprobs[0].logprob, entry.logprob)
        assert entry.logprob > math.log(0.5)  # it knows this answer by heart
    assert b"".join(bytes(entry.bytes) for entry in entries).decode() == reply.choices[0].message.content
    streamed = [
        entry
        for chunk in chat(client, logprobs=True, stream=True)
        if chunk.choices[0].logprobs
        for entry in chunk.choices[0].logprobs.content
    ]
    assert [entry.token for entry in streamed] == [entry.token for entry in entries]
    assert chat(client).choices[0].logprobs is None


def test_earlier_turns_and_a_system_text_are_read(client: openai.OpenAI) -> None:
    messages: Any = [
        {"role": "system", "content": "简短"},
        {"role": "user", "content": "猫吃什么？"},
        {"role": "assistant", "content": "鱼"},
        {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
    ]
    reply = client.chat.completions.create(model="tiny", messages=messages)
    assert reply.usage is not None
    assert reply.usage.prompt_tokens > chat(client).usage.prompt_tokens
    assert reply.choices[0].message.content


def test_plain_continuations(client: openai.OpenAI, helpers: Any) -> None:
    """The prompt is taken as it is; with the template's words around it that is a question again."""
    questions = list(helpers.pairs)[:3]
    reply = client.completions.create(model="tiny", prompt=[f"用户:{q}\n助手:" for q in questions], stop="\n")
    assert [choice.text for choice in reply.choices] == [helpers.pairs[q] for q in questions]
    assert [choice.index for choice in reply.choices] == [0, 1, 2]
    assert {choice.finish_reason for choice in reply.choices} == {"stop"}
    assert reply.object == "text_completion"
    rest = client.completions.create(model="tiny", prompt="用户:什么是水？\n助手:水是", max_tokens=9)
    assert helpers.pairs[QUESTION].removeprefix("水是").startswith(rest.choices[0].text.rstrip("\ufffd"))
    assert rest.choices[0].finish_reason == "length"


def test_plain_continuations_as_a_stream(client: openai.OpenAI) -> None:
    prompts = ["用户:什么是水？\n助手:", "用户:冰是什么？\n助手:"]
    whole = client.completions.create(model="tiny", prompt=prompts, logprobs=2)
    texts = ["", ""]
    offsets: list[list[int]] = [[], []]
    for chunk in client.completions.create(model="tiny", prompt=prompts, stream=True, logprobs=2):
        texts[chunk.choices[0].index] += chunk.choices[0].text
        if chunk.choices[0].logprobs is not None:
            offsets[chunk.choices[0].index] += chunk.choices[0].logprobs.text_offset or []
    assert texts == [choice.text for choice in whole.choices]
    for choice, streamed in zip(whole.choices, offsets, strict=True):
        assert choice.logprobs is not None
        assert choice.logprobs.text_offset == streamed
        assert streamed == sorted(streamed)
        assert streamed[0] == 0
        assert streamed[-1] == len(choice.text) - 1  # the full stop, a token of its own
        assert choice.logprobs.top_logprobs is not None
        assert all(1 <= len(top) <= 2 for top in choice.logprobs.top_logprobs)


def test_the_model_has_a_card(client: openai.OpenAI) -> None:
    (card,) = client.models.list().data
    assert (card.id, card.object, card.owned_by) == ("tiny", "model", "gpt-tui")
    assert card.created > 1_700_000_000
    assert client.models.retrieve("tiny") == card
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-4")
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.completions.create(model="gpt-4", prompt="a")


def test_errors_have_the_classes_of_the_client(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="temperature") as bad:
        chat(client, temperature=3)
    assert bad.value.param == "temperature"
    with pytest.raises(openai.UnprocessableEntityError) as cannot:
        chat(client, n=2)
    assert (cannot.value.param, cannot.value.code) == ("n", "unsupported_parameter")
    with pytest.raises(openai.BadRequestError) as long:
        chat(client, "水" * 500)
    assert long.value.code == "context_length_exceeded"


def test_a_key_is_asked_for(serve: Any) -> None:
    with serve(key="correct-horse") as served:
        for key, right in (("correct-horse", True), ("correct-hors", False), ("correct-horse-battery", False)):
            with openai.OpenAI(base_url=f"{served.url}/v1", api_key=key, max_retries=0, timeout=60) as client:
                if right:
                    assert chat(client).choices[0].message.content
                else:
                    with pytest.raises(openai.AuthenticationError) as caught:
                        client.models.list()
                    assert caught.value.code == "invalid_api_key"
