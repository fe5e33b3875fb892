"""The guard of the web UI: what gets through, and what another page or user cannot do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from resources.web.guard import Guard
from resources.web.guarded_dev import with_guard
from resources.web.guarded_webserver import port_of

TOKEN = "s3cret-token"
COOKIE = {"cookie": f"dsam_token_3000={TOKEN}"}
JSON = {"content-type": "application/json"}


async def inner(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"inside"})


def ask(
    path: str = "/", *, method: str = "GET", query: str = "", kind: str = "http", **headers: str
) -> list[dict[str, Any]]:
    """The messages that the guarded application sends back."""
    sent: list[dict[str, Any]] = []
    given = {"host": "127.0.0.1:3000", **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope = {
        "type": kind,
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Guard(inner, 3000, TOKEN)(scope, receive, send))
    return sent


def status(*args: Any, **kwargs: Any) -> int:
    return int(ask(*args, **kwargs)[0]["status"])


def test_cookie_and_bearer_token_get_through() -> None:
    assert ask("/runs", **COOKIE)[1]["body"] == b"inside"
    assert status("/runs", authorization=f"Bearer {TOKEN}") == 200


def test_without_token_nothing_is_served() -> None:
    messages = ask("/runs")
    assert messages[0]["status"] == 403
    assert b"link that the terminal printed" in messages[1]["body"]
    assert status("/runs", cookie="dsam_token_3000=wrong") == 403
    assert status("/runs", authorization="Bearer wrong") == 403


def test_the_printed_link_becomes_a_cookie_and_leaves_the_address() -> None:
    start = ask("/assets", query=f"view=checks&token={TOKEN}")[0]
    headers = dict(start["headers"])
    assert start["status"] == 303
    assert headers[b"location"] == b"/assets?view=checks"
    assert headers[b"set-cookie"] == f"dsam_token_3000={TOKEN}; Path=/; HttpOnly; SameSite=Strict".encode()


def test_the_link_cannot_lead_to_another_server() -> None:
    location = dict(ask("//evil.example/x", query=f"token={TOKEN}")[0]["headers"])[b"location"]
    assert location == b"/evil.example/x"


@pytest.mark.parametrize("host", ["evil.example:3000", "127.0.0.1:4000", "127.0.0.1", ""])
def test_foreign_hosts_are_refused_even_with_the_token(host: str) -> None:
    assert status("/", host=host, **COOKIE) == 403


@pytest.mark.parametrize("host", ["localhost:3000", "[::1]:3000"])
def test_other_names_of_this_machine_are_known(host: str) -> None:
    assert status("/", host=host, **COOKIE) == 200


def test_foreign_origins_are_refused() -> None:
    assert status("/graphql", method="POST", origin="https://evil.example", **COOKIE, **JSON) == 403
    assert status("/graphql", method="POST", origin="null", **COOKIE, **JSON) == 403
    assert status("/graphql", method="POST", origin="http://127.0.0.1:3000", **COOKIE, **JSON) == 200


@pytest.mark.parametrize("path", ["/graphql", "/graphql/"])
def test_graphql_is_json_over_post_only(path: str) -> None:
    assert status(path, method="POST", **COOKIE, **JSON) == 200
    assert status(path, method="POST", content_type="application/json; charset=utf-8", **COOKIE) == 200
    assert status(path, query="query=mutation{x}", **COOKIE) == 403
    assert status(path, method="POST", content_type="text/plain", **COOKIE) == 403
    assert status(path, method="POST", **COOKIE) == 403


def test_websockets_need_token_and_origin() -> None:
    assert ask("/graphql", kind="websocket", origin="http://localhost:3000", **COOKIE)[0]["type"] == "websocket.accept"
    for headers in ({"origin": "https://evil.example", **COOKIE}, {"origin": "http://localhost:3000"}):
        refused = ask("/graphql", kind="websocket", **headers)[0]
        assert (refused["type"], refused["code"]) == ("websocket.close", 1008)


def test_dagster_dev_starts_the_guarded_server_and_nothing_else_changes() -> None:
    command = ["python", "-m", "dagster_webserver", "--port", "3000"]
    assert with_guard(command) == ["python", "-m", "resources.web.guarded_webserver", "--port", "3000"]
    assert port_of(command) == 3000


def test_the_seams_in_dagster_are_still_there() -> None:
    """The guard replaces two functions of Dagster's by name; a new version may rename them."""
    pytest.importorskip("dagster_webserver", reason="the ui extra is not installed")
    from dagster._cli import dev
    from dagster_webserver import cli

    assert callable(dev.open_ipc_subprocess)
    assert callable(cli.create_app_from_workspace_process_context)
