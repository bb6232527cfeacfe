"""Who may open the app in a browser: whoever has the address that was printed, token included.

The app can do what its user can – read files, train, delete runs. On a machine that several people share each of them
can reach 127.0.0.1, and any page in the user's own browser can try to; neither knows the token.
"""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ..loopback import names_loopback

#: Nothing from anywhere else, and in no other page's frame.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
    "img-src 'self' data:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Guard:
    """aiohttp middleware. ``local``: listening on a loopback address, where no other name can be meant."""

    def __init__(self, port: int, *, local: bool) -> None:
        self.token = secrets.token_urlsafe(24)
        self._cookie = f"gpt_tui_{port}"  # a browser sends cookies to every port of a machine
        self._local = local

    def middleware(self) -> Middleware:
        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            if self._local and not names_loopback(request.headers.get("Host", "")):
                raise web.HTTPMisdirectedRequest(text="this server answers to localhost alone\n")
            origin = request.headers.get("Origin")
            if origin is not None and urlsplit(origin).netloc != request.host:
                raise web.HTTPForbidden(text="another site asked for this\n")
            given = request.query.get("token")
            if not self._knows(given if given is not None else request.cookies.get(self._cookie, "")):
                raise web.HTTPForbidden(text="open the whole address that gpt-tui web has printed\n")
            reply = await handler(request)
            if not reply.prepared:
                reply.headers.update(self._headers())
                if given is not None:
                    reply.set_cookie(self._cookie, self.token, httponly=True, samesite="Strict")
            return reply

        return check

    def _knows(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode())

    @staticmethod
    def _headers() -> dict[str, str]:
        return {
            "Content-Security-Policy": POLICY,
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
