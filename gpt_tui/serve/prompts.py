"""From a request to token ids: the run's own template around a conversation, nothing around a plain prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.dataset import encode_segments
from core.generate import prompt_room
from core.records import Turn
from core.template import TEMPLATES

from ..sampling_options import changed_sampling
from .schema import ApiError, ChatRequest, CompletionRequest, Message, Request

if TYPE_CHECKING:
    from core.runs import LoadedModel
    from core.schema import SamplingConfig


def sampling_for(loaded: LoadedModel, request: Request) -> SamplingConfig:
    """The run's own sampling settings with the request's on top.

    A conversation ends at the run's stop strings as well as at the request's: they are part of its template. A
    plain continuation ends at the request's alone, and keeps the blanks and signs that it begins with.
    """
    own = loaded.config.sampling
    changes: dict[str, Any] = {}
    for name in ("temperature", "top_k", "repetition_penalty"):
        if getattr(request, name) is not None:
            changes[f"sampling.{name}"] = getattr(request, name)
    if request.top_p is not None:
        changes["sampling.top_p"] = max(request.top_p, 1e-6)  # OpenAI's clients may say 0: the likeliest alone
    if request.length is not None:
        changes["sampling.max_new_tokens"] = min(request.length, loaded.model.config.seq_len)
    stops = [stop for stop in request.stop or [] if stop]
    if isinstance(request, ChatRequest):
        stops = [*own.stop, *(stop for stop in stops if stop not in own.stop)]
    else:
        changes["sampling.trim_leading"] = False
    changes["sampling.stop"] = stops
    return changed_sampling(loaded.config, changes)


def conversation(messages: Sequence[Message]) -> tuple[str, tuple[Turn, ...], Turn]:
    """System text, earlier turns and the question of a list of messages. Raises ``ApiError``."""
    system: list[str] = []
    questions: list[str] = []
    turns: list[Turn] = []
    for number, message in enumerate(messages):
        if message.role in ("system", "developer"):
            system.append(message.content)
        elif message.role == "user":
            questions.append(message.content)
        elif not questions:
            raise _wrong(number, "an answer needs a question before it")
        else:
            turns.append(Turn("\n".join(questions), message.content))
            questions = []
    if not questions:
        raise _wrong(len(messages) - 1, "the last message must be the user's")
    if not any(question.strip() for question in questions):
        raise _wrong(len(messages) - 1, "the question is empty")
    return "\n".join(text for text in system if text), tuple(turns), Turn("\n".join(questions))


def _wrong(number: int, problem: str) -> ApiError:
    where = f"messages.{number}"
    return ApiError(400, f"{where}: {problem}", param=where, code="invalid_value")


def chat_prompt(loaded: LoadedModel, request: ChatRequest, sampling: SamplingConfig) -> list[int]:
    """Token ids before the answer. Of a conversation that is too long the oldest turns are left out; raises
    ``ApiError`` where the system text and the question alone do not fit."""
    system, turns, question = conversation(request.messages)
    template = TEMPLATES[loaded.config.data.template]
    room = prompt_room(loaded.model.config.seq_len, sampling.max_new_tokens)

    def encode(history: tuple[Turn, ...]) -> list[int]:
        segments = template.prompt_segments(question, history, system)
        return encode_segments(segments, loaded.tokenizer, template.bos)[0]

    tokens = encode(())
    if len(tokens) > room:
        raise too_long(len(tokens), room, "messages")
    # From the newest turn back, so that a long conversation costs no more than what fits.
    for begin in range(len(turns) - 1, -1, -1):
        longer = encode(turns[begin:])
        if len(longer) > room:
            break
        tokens = longer
    return tokens


def plain_prompts(loaded: LoadedModel, request: CompletionRequest, sampling: SamplingConfig) -> list[list[int]]:
    """Token ids of each prompt. Raises ``ApiError`` where one does not fit."""
    tokenizer = loaded.tokenizer
    room = prompt_room(loaded.model.config.seq_len, sampling.max_new_tokens)
    opening = [tokenizer.bos] if TEMPLATES[loaded.config.data.template].bos else []
    found = [opening + tokenizer.encode(text) or [tokenizer.bos] for text in request.prompt]
    longest = max(map(len, found))
    if longest > room:
        raise too_long(longest, room, "prompt")
    return found


def too_long(tokens: int, room: int, param: str) -> ApiError:
    message = f"the prompt takes {tokens} tokens; the model's context has room for {room} beside an answer"
    return ApiError(400, message, param=param, code="context_length_exceeded")
