"""What comes of a job, in OpenAI's objects: whole, or in chunks as it is written.

Both endpoints differ in names alone: ``Chat`` and ``Completion`` hold these, ``Reply`` and the two functions at the
end hold what they have in common.
"""

from __future__ import annotations

import json
import math
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from core.generate import Answer, Token
from core.tokenizer import Tokenizer

from ..format import HeldBlanks
from .schema import ApiError
from .worker import Job

FINISH = {"end": "stop", "stop": "stop", "length": "length"}
IMPOSSIBLE = -9999.0
"""OpenAI's logarithm of a probability of 0, which JSON could not hold otherwise."""


def logarithm(p: float) -> float:
    return math.log(p) if p > 0.0 else IMPOSSIBLE


def usage(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


@dataclass
class Chat:
    """Names of ``/v1/chat/completions``."""

    tokenizer: Tokenizer
    prefix = "chatcmpl"
    whole = "chat.completion"
    chunk = "chat.completion.chunk"

    def opening(self) -> dict[str, Any] | None:
        return {"delta": {"role": "assistant", "content": ""}, "logprobs": None}

    def piece(self, text: str, logprobs: dict[str, Any] | None) -> dict[str, Any]:
        return {"delta": {"content": text} if text else {}, "logprobs": logprobs}

    def answer(self, text: str, logprobs: dict[str, Any] | None) -> dict[str, Any]:
        return {"message": {"role": "assistant", "content": text, "refusal": None}, "logprobs": logprobs}

    def logprobs(self, tokens: list[Token], before: int) -> dict[str, Any]:
        del before
        return {"content": [self._entry(token) for token in tokens], "refusal": None}

    def _entry(self, token: Token) -> dict[str, Any]:
        exact = list(self.tokenizer.token_bytes(token.id))
        tops = [
            {"token": text, "logprob": logarithm(p), "bytes": exact if text == token.text else _bytes(text)}
            for text, p in token.top
        ]
        return {"token": token.text, "logprob": logarithm(token.p), "bytes": exact, "top_logprobs": tops}


def _bytes(text: str) -> list[int] | None:
    """None for half a character: of an alternative only its text is known, and U+FFFD is not what it holds."""
    return None if "\ufffd" in text else list(text.encode("utf-8"))


@dataclass
class Completion:
    """Names of ``/v1/completions``."""

    tokenizer: Tokenizer
    prefix = "cmpl"
    whole = "text_completion"
    chunk = "text_completion"

    def opening(self) -> dict[str, Any] | None:
        return None

    def piece(self, text: str, logprobs: dict[str, Any] | None) -> dict[str, Any]:
        return {"text": text, "logprobs": logprobs}

    answer = piece

    def logprobs(self, tokens: list[Token], before: int) -> dict[str, Any]:
        """``before``: characters of the answer that were there already. A token that is half a character begins
        where that character will be."""
        offsets: list[int] = []
        for token in tokens:
            offsets.append(before)
            before += len(token.shown)
        return {
            "tokens": [token.text for token in tokens],
            "token_logprobs": [logarithm(token.p) for token in tokens],
            "top_logprobs": [{text: logarithm(p) for text, p in token.top} for token in tokens],
            "text_offset": offsets,
        }


@dataclass
class Reply:
    """One request's reply: its names and what all its parts carry."""

    form: Chat | Completion
    model: str
    job: Job
    with_logprobs: bool
    trim: bool
    """Blanks at the end of an answer are not part of it."""
    id: str = ""
    created: int = field(default_factory=lambda: int(time.time()))
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __post_init__(self) -> None:
        self.id = f"{self.form.prefix}-{secrets.token_hex(12)}"

    def envelope(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices}

    def count(self, answer: Answer) -> None:
        self.prompt_tokens += answer.prompt_tokens
        self.completion_tokens += answer.tokens

    @property
    def usage(self) -> dict[str, int]:
        return usage(self.prompt_tokens, self.completion_tokens)


async def whole(reply: Reply) -> dict[str, Any]:
    """The reply as one object. Raises ``ApiError`` where the generation was broken off."""
    tokens: list[Token] = []
    choices: list[dict[str, Any]] = []
    async for index, item in reply.job:
        if isinstance(item, Token):
            tokens += [item] if item.id >= 0 else []
            continue
        reply.count(item)
        logprobs = reply.form.logprobs(tokens, 0) if reply.with_logprobs else None
        choice = {"index": index, **reply.form.answer(item.text, logprobs)}
        choices.append({**choice, "finish_reason": FINISH[item.stop_reason]})
        tokens = []
    if len(choices) < len(reply.job.prompts):
        raise ApiError(503, "the server is stopping")
    return {**reply.envelope(reply.form.whole, choices), "usage": reply.usage}


async def chunks(reply: Reply, include_usage: bool) -> AsyncIterator[str]:
    """The reply as server-sent events. What goes wrong in the middle is an event too: the status has been sent."""
    held, begun, before = HeldBlanks(reply.trim), -1, 0

    def event(index: int, part: dict[str, Any], finish: str | None = None) -> str:
        chunk = reply.envelope(reply.form.chunk, [{"index": index, **part, "finish_reason": finish}])
        return _sse({**chunk, "usage": None} if include_usage else chunk)

    try:
        async for index, item in reply.job:
            if index != begun:
                held, begun, before = HeldBlanks(reply.trim), index, 0
                opening = reply.form.opening()
                if opening is not None:
                    yield event(index, opening)
            if isinstance(item, Answer):
                reply.count(item)
                yield event(index, reply.form.piece("", None), FINISH[item.stop_reason])
                continue
            text = held.push(item.shown)
            own = [item] if item.id >= 0 else []
            logprobs = reply.form.logprobs(own, before) if reply.with_logprobs and own else None
            before += len(item.shown)
            if text or logprobs:
                yield event(index, reply.form.piece(text, logprobs))
    except ApiError as problem:
        yield _sse(problem.body())
        return
    if include_usage:
        yield _sse({**reply.envelope(reply.form.chunk, []), "usage": reply.usage})
    yield "data: [DONE]\n\n"


def _sse(value: dict[str, Any]) -> str:
    # JSON on one line: an answer's line feed would otherwise end the event.
    return f"data: {json.dumps(value, ensure_ascii=False, allow_nan=False)}\n\n"
