"""What may be asked: the parameters of OpenAI's two endpoints, with their bounds.

What a client may send and this server ignores without harm (``user``, ``store``, …) is passed over. What would change
the answer and cannot be done is refused, so that nobody takes an answer for what it is not.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from core.text import without_surrogates

MAX_MESSAGES = 500
MAX_PROMPTS = 16
LIMIT = 2**63 - 1


class ApiError(Exception):
    """An answer with an error status, in OpenAI's form."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code, self.headers = status, message, param, code, headers

    def body(self) -> dict[str, Any]:
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


def unsupported(param: str, why: str) -> ApiError:
    """422: well formed, but nothing that this server can do."""
    return ApiError(422, why, param=param, code="unsupported_parameter")


def _content(value: Any) -> Any:
    """A message's content as one text: OpenAI also takes a list of parts, of which only texts can be read here."""
    if not isinstance(value, list):
        return value
    texts: list[str] = []
    for part in value:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind != "text" or not isinstance(part.get("text"), str):
            raise unsupported("messages", "a message's content must be text: the model reads nothing else")
        texts.append(part["text"])
    return "\n".join(texts)


def _listed(value: Any) -> Any:
    """OpenAI takes one text or a list of them."""
    return [value] if isinstance(value, str) else value


Text = Annotated[str, StringConstraints(max_length=1_000_000)]
Stop = Annotated[str, StringConstraints(max_length=200)]
OneOrMore = BeforeValidator(_listed)


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class Message(_Part):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[Text, BeforeValidator(_content)]


class StreamOptions(_Part):
    include_usage: bool = False


class Request(_Part):
    """What both endpoints take. A number that is left out is the run's own setting."""

    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(None, ge=0.0, le=2.0, allow_inf_nan=False)
    top_p: float | None = Field(None, ge=0.0, le=1.0, allow_inf_nan=False)
    seed: int | None = Field(None, ge=-LIMIT, le=LIMIT)
    stop: Annotated[list[Stop] | None, OneOrMore] = Field(None, max_length=16)
    max_tokens: int | None = Field(None, ge=1, le=LIMIT)
    top_k: int | None = Field(None, ge=1, le=200_000)
    """Not OpenAI's: its client sends it as ``extra_body``."""
    repetition_penalty: float | None = Field(None, ge=0.1, le=10.0, allow_inf_nan=False)
    """Not OpenAI's either."""

    @property
    def length(self) -> int | None:
        return self.max_tokens

    @property
    def alternatives(self) -> int | None:
        """Likeliest tokens to name beside each token; None: no probabilities are asked for."""
        return None


class ChatRequest(Request):
    """``POST /v1/chat/completions``"""

    messages: list[Message] = Field(min_length=1, max_length=MAX_MESSAGES)
    max_completion_tokens: int | None = Field(None, ge=1, le=LIMIT)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)

    @property
    def length(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens

    @property
    def alternatives(self) -> int | None:
        return (self.top_logprobs or 0) if self.logprobs else None


class CompletionRequest(Request):
    """``POST /v1/completions``"""

    prompt: Annotated[list[Text], OneOrMore] = Field(min_length=1, max_length=MAX_PROMPTS)
    logprobs: int | None = Field(None, ge=0, le=5)

    @property
    def alternatives(self) -> int | None:
        return self.logprobs


#: Parameters that ask for something else than one plain answer, and the values that do not.
HARMLESS: dict[str, tuple[Any, ...]] = {
    "n": (1,), "best_of": (1,), "echo": (False,), "suffix": ("",), "presence_penalty": (0,),
    "frequency_penalty": (0,), "logit_bias": ({},), "tools": ([],), "functions": ([],),
    "tool_choice": ("none", "auto"), "function_call": ("none", "auto"), "audio": ({},),
    "response_format": ({"type": "text"},), "modalities": (["text"], []),
}  # fmt: skip

R = TypeVar("R", bound=Request)


def read(kind: type[R], body: bytes) -> R:
    """The request in a body. Raises ``ApiError``: 400 for what is malformed or out of bounds, 422 for what this
    server cannot do."""
    values = _json(body)
    for name, harmless in HARMLESS.items():
        if values.get(name) is not None and values[name] not in harmless:
            raise unsupported(name, f"{name}: this server gives one plain answer and cannot do that")
    try:
        return kind.model_validate(values)
    except ValidationError as problems:
        first = problems.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or None
        raise ApiError(400, f"{where}: {first['msg']}", param=where, code="invalid_value") from None


def _json(body: bytes) -> dict[str, Any]:
    def refuse(name: str) -> Any:
        raise ValueError(f"{name} is not a JSON value")

    try:
        text = without_surrogates(body.decode("utf-8"))
        values = _clean(json.loads(text, parse_constant=refuse))
    except (ValueError, RecursionError) as problem:
        reason = "nested too deeply" if isinstance(problem, RecursionError) else str(problem)
        raise ApiError(400, f"the body is not valid JSON: {reason}"[:300], code="invalid_json") from None
    if not isinstance(values, dict):
        raise ApiError(400, "the body must be a JSON object", code="invalid_json")
    return values


def _clean(value: Any) -> Any:
    """Without the lone surrogates that ``\\ud800`` in JSON stands for: no tokenizer takes them."""
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {without_surrogates(key): _clean(item) for key, item in value.items()}
    return value
