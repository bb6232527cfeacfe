"""The addresses, and what is answered there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from core.errors import UserError
from core.schema import SamplingConfig

from .guard import Guard
from .prompts import chat_prompt, plain_prompts, sampling_for
from .replies import Chat, Completion, Reply, chunks, whole
from .schema import ApiError, ChatRequest, CompletionRequest, read
from .schema import Request as Asked
from .worker import Worker

MAX_BODY = 1 << 20
"""Bytes of a request: a hundred times what any model here can read."""
BODY_SECONDS = 30.0
NOBODY = 499
"""The client has gone: nginx's status, seen by none but the log."""

Handler = Callable[[Request], Awaitable[Response]]


def error_response(problem: ApiError) -> JSONResponse:
    return JSONResponse(problem.body(), problem.status, problem.headers)


def make_app(
    worker: Worker,
    name: str,
    *,
    local: bool = True,
    key: str | None = None,
    origins: Sequence[str] = (),
    tell: Callable[[str], None] = lambda line: None,
) -> Starlette:
    """The application for one model called ``name``; see ``Guard`` for ``local`` and ``key``. ``origins``: web pages
    that may ask from a browser."""
    api = Api(worker, name)
    middleware = [Middleware(Guard, local=local, key=key, tell=tell)]
    if origins:
        # Outermost: a page must be able to read a refusal too.
        cors = Middleware(
            CORSMiddleware, allow_origins=list(origins), allow_methods=["GET", "POST"], allow_headers=["*"]
        )
        middleware.insert(0, cors)
    return Starlette(
        routes=[
            Route("/health", _safe(api.health)),
            Route("/v1/models", _safe(api.models)),
            Route("/v1/models/{name:path}", _safe(api.model)),
            Route("/v1/chat/completions", _safe(api.chat), methods=["POST"]),
            Route("/v1/completions", _safe(api.complete), methods=["POST"]),
        ],
        middleware=middleware,
        exception_handlers={HTTPException: _not_here},
    )


def _safe(handler: Handler) -> Handler:
    """Every fault as OpenAI's error object; none reaches the server's own log with what was asked in it."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except ApiError as problem:
            return error_response(problem)
        except UserError as problem:
            return error_response(ApiError(400, str(problem), code="invalid_value"))
        except ClientDisconnect:
            return Response(status_code=NOBODY)
        except Exception as problem:
            return error_response(ApiError(500, f"a fault in the server: {type(problem).__name__}"))

    return handle


async def _not_here(request: Request, problem: Exception) -> Response:
    """Starlette's own answers, to unknown addresses and methods, in OpenAI's form."""
    assert isinstance(problem, HTTPException)
    headers = dict(problem.headers or {})
    message = f"{request.method} {request.url.path[:200]}: {problem.detail}"
    return error_response(ApiError(problem.status_code, message, code="unknown_url", headers=headers))


class Api:
    """One model's answers."""

    def __init__(self, worker: Worker, name: str) -> None:
        self._worker, self._name = worker, name

    async def health(self, request: Request) -> Response:
        del request
        return JSONResponse({"status": "ok", "requests": self._worker.busy})

    async def models(self, request: Request) -> Response:
        del request
        return JSONResponse({"object": "list", "data": [self._card()]})

    async def model(self, request: Request) -> Response:
        self._check_model(request.path_params["name"])
        return JSONResponse(self._card())

    async def chat(self, request: Request) -> Response:
        asked = read(ChatRequest, await read_body(request))
        self._check_model(asked.model)
        loaded = self._worker.loaded
        sampling = sampling_for(loaded, asked)
        prompt = chat_prompt(loaded, asked, sampling)
        return await self._reply(request, asked, sampling, Chat(loaded.tokenizer), [prompt])

    async def complete(self, request: Request) -> Response:
        asked = read(CompletionRequest, await read_body(request))
        self._check_model(asked.model)
        loaded = self._worker.loaded
        sampling = sampling_for(loaded, asked)
        prompts = plain_prompts(loaded, asked, sampling)
        return await self._reply(request, asked, sampling, Completion(loaded.tokenizer), prompts)

    async def _reply(
        self,
        request: Request,
        asked: Asked,
        sampling: SamplingConfig,
        form: Chat | Completion,
        prompts: list[list[int]],
    ) -> Response:
        job = self._worker.start(prompts, sampling, asked.seed, asked.alternatives or 0)
        reply = Reply(form, self._name, job, asked.alternatives is not None, sampling.trim_leading)
        if asked.stream:
            with_usage = asked.stream_options is not None and asked.stream_options.include_usage
            return Events(reply, with_usage)
        try:
            found = await _while_there(request, whole(reply))
        finally:
            job.cancel()
        request.state.tokens = (reply.prompt_tokens, reply.completion_tokens)
        return JSONResponse(found)

    def _card(self) -> dict[str, object]:
        weights = self._worker.loaded.path / "model.safetensors"
        return {"id": self._name, "object": "model", "created": _written(weights), "owned_by": "gpt-tui"}

    def _check_model(self, name: str | None) -> None:
        if name not in (None, self._name):
            message = f"no model {str(name)[:100]!r} here; there is: {self._name}"
            raise ApiError(404, message, param="model", code="model_not_found")


def _written(path: Path) -> int:
    try:
        return int(path.stat().st_mtime)
    except OSError:  # a running training may have removed that checkpoint
        return 0


class Events(StreamingResponse):
    """A reply as it is written. However it ends – also before it has begun – the generation ends with it."""

    media_type = "text/event-stream"

    def __init__(self, reply: Reply, with_usage: bool) -> None:
        super().__init__(chunks(reply, with_usage), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._answer = reply

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._answer.job.cancel()
            scope["state"]["tokens"] = (self._answer.prompt_tokens, self._answer.completion_tokens)


async def read_body(request: Request) -> bytes:
    """The body of a JSON request. Raises ``ApiError``: 408, 413, 415; ``ClientDisconnect``.

    A form or plain text is refused because a page of any other site may send these to this machine unasked; for
    JSON its browser has to ask first, and is told no.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(415, "send the request as JSON, with Content-Type: application/json", code="unsupported_type")
    try:
        return await asyncio.wait_for(_read(request), BODY_SECONDS)
    except (asyncio.TimeoutError, TimeoutError):
        raise ApiError(408, f"the request did not arrive within {BODY_SECONDS:.0f} s") from None


async def _read(request: Request) -> bytes:
    body, size = bytearray(), 0
    async for piece in request.stream():
        size += len(piece)
        if size <= MAX_BODY:
            body += piece
        elif size > 16 * MAX_BODY:  # up to there it is read and dropped, so that the client gets to see the answer
            break
    if size > MAX_BODY:
        raise ApiError(413, f"the request is larger than {MAX_BODY} bytes", code="request_too_large")
    return bytes(body)


async def _while_there(request: Request, work: Awaitable[dict[str, object]]) -> dict[str, object]:
    """The result of ``work``, given up once the client has gone. Raises ``ClientDisconnect``."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            continue

    tasks = asyncio.ensure_future(work), asyncio.ensure_future(gone())
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not tasks[0].done():
            raise ClientDisconnect
        return tasks[0].result()
    finally:
        for task in tasks:
            task.cancel()
