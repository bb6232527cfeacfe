"""What stands before the addresses: who may come in, and a line about each request, without what was asked."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.text import printable, shorten

from ..loopback import names_loopback
from .schema import ApiError


class Guard:
    """Refuses requests that name another host, or that come without the key; tells of all others.

    ``local``: the server listens on a loopback address, so that no other name can be meant in good faith.
    """

    def __init__(self, app: ASGIApp, *, local: bool, key: str | None, tell: Callable[[str], None]) -> None:
        self._app, self._local, self._tell = app, local, tell
        self._key = key.encode() if key is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        from .api import error_response

        begun, status = time.perf_counter(), 0
        scope.setdefault("state", {})

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            self._check(scope)
        except ApiError as problem:
            await error_response(problem)(scope, receive, watched)
        else:
            await self._app(scope, receive, watched)
        finally:
            tokens = scope["state"].get("tokens")
            count = f" {tokens[0]}+{tokens[1]} tokens" if tokens else ""
            where = shorten(printable(scope["path"]), 60)
            seconds = time.perf_counter() - begun
            self._tell(f"{scope['method']} {where} {status or '–'}{count} {seconds:.2f} s")

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        if self._local and not names_loopback(headers.get("host", "")):
            raise ApiError(421, "this server answers to localhost alone", code="misdirected_request")
        if self._key is None or not scope["path"].startswith("/v1") or scope["method"] == "OPTIONS":
            return
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not hmac.compare_digest(given.strip().encode("latin-1"), self._key):
            raise ApiError(401, "the API key is missing or wrong: send Authorization: Bearer KEY",
                           code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})  # fmt: skip
