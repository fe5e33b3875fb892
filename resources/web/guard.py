"""A guard in front of Dagster's web server.

Binding to 127.0.0.1 keeps other machines out, not other web pages: Dagster answers `GET /graphql?query=mutation…` and
any Host header, so a page in the same browser could start runs. The guard lets a request through only with a known
Host, a matching Origin, GraphQL as JSON over POST, and the token that the terminal printed (as a cookie, or as a bearer
token for scripts).
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "dsam_token"
NO_TOKEN = "Open the link that the terminal printed: it carries the token of this session."  # noqa: S105


@dataclass(frozen=True)
class Guard:
    """ASGI middleware that refuses what a browser page or another local user could send.

    Attributes:
        app: the application behind it.
        port: the port it is served on; Host and Origin must name it.
        token: the session's secret.
    """

    app: App
    port: int
    token: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _answer(scope, receive, send, 403, refusal)
        elif self._matches(dict(query).get("token")) and scope["type"] == "http":
            await self._enter(scope, query, send)
        elif not self._known(headers):
            await _answer(scope, receive, send, 403, NO_TOKEN)
        else:
            await self.app(scope, receive, send)

    @property
    def hosts(self) -> frozenset[str]:
        """Host headers that mean this server."""
        return frozenset(f"{name}:{self.port}" for name in ("127.0.0.1", "localhost", "[::1]"))

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> str | None:
        if headers.get("host") not in self.hosts:
            return "Unknown host."
        origin = headers.get("origin")
        if origin is not None and origin not in {f"http://{host}" for host in self.hosts}:
            return "Requests from other pages are refused."
        if scope["type"] == "http" and scope["path"].rstrip("/") == "/graphql":
            kind = headers.get("content-type", "").split(";")[0].strip().lower()
            if scope["method"] != "POST" or kind != "application/json":
                return "GraphQL is answered only as application/json over POST."
        return None

    def _matches(self, candidate: str | None) -> bool:
        return candidate is not None and secrets.compare_digest(candidate.encode(), self.token.encode())

    def _known(self, headers: dict[str, str]) -> bool:
        cookie = SimpleCookie(headers.get("cookie", "")).get(self._cookie_name)
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        return self._matches(cookie.value if cookie else None) or (
            scheme.lower() == "bearer" and self._matches(bearer.strip())
        )

    @property
    def _cookie_name(self) -> str:
        return f"{COOKIE}_{self.port}"

    async def _enter(self, scope: Scope, query: list[tuple[str, str]], send: Send) -> None:
        """Trade the token in the link for a cookie, and drop it from the address."""
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        target = scope["path"] + (f"?{rest}" if rest else "")
        cookie = f"{self._cookie_name}={self.token}; Path=/; HttpOnly; SameSite=Strict"
        headers = [(b"location", _local(target).encode("latin-1")), (b"set-cookie", cookie.encode("latin-1"))]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def _local(target: str) -> str:
    """A path on this server: `//elsewhere` would be another one."""
    return "/" + target.lstrip("/\\")


async def _answer(scope: Scope, receive: Receive, send: Send, status: int, text: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": text[:120]})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"x-content-type-options", b"nosniff")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
