"""Notifications to a web address: what is sent, to whom, and what is never said."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from dsam_assets.errors import ConfigError
from resources.webhook import Webhook, WebhookError, webhook_of

SECRET = "T0K3N"


class Receiver(BaseHTTPRequestHandler):
    """Remembers what it is sent, and answers with the status that its path names."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((self.path, dict(self.headers), json.loads(body)))  # type: ignore[attr-defined]
        status = int(self.path.split("/")[1])
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "/200/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def server() -> Iterator[Any]:
    found: Any = HTTPServer(("127.0.0.1", 0), Receiver)
    found.taken = []
    thread = threading.Thread(target=found.serve_forever, args=(0.01,))
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


def address(server: Any, path: str) -> str:
    return f"http://127.0.0.1:{server.server_port}{path}"


def test_a_notice_arrives_as_json_with_the_token(server: Any) -> None:
    webhook = webhook_of(address(server, f"/200/{SECRET}"), "bearer")
    assert webhook is not None
    webhook.send({"text": "uk: a gate fails – “rhat”"})
    ((path, headers, document),) = server.taken
    assert (path, document) == (f"/200/{SECRET}", {"text": "uk: a gate fails – “rhat”"})
    assert headers["Authorization"] == "Bearer bearer"
    assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 500])
def test_what_is_not_taken_is_an_error_without_the_address(server: Any, status: int) -> None:
    with pytest.raises(WebhookError) as raised:
        Webhook(address(server, f"/{status}/{SECRET}"), SECRET).send({"text": "x"})
    assert len(server.taken) == 1  # a redirect is not followed
    assert raised.value.got == f"HTTP {status}"
    assert SECRET not in str(raised.value) + repr(raised.value)
    assert raised.value.__suppress_context__


def test_nobody_there_is_an_error() -> None:
    with pytest.raises(WebhookError, match="ConnectionRefusedError") as raised:
        Webhook(f"http://127.0.0.1:1/{SECRET}").send({})
    assert SECRET not in str(raised.value)


def test_it_shows_neither_address_nor_token() -> None:
    assert SECRET not in repr(Webhook(f"https://x.example/{SECRET}", SECRET))


@pytest.mark.parametrize(
    "url",
    ["https://hooks.example/services/a/b", "http://127.0.0.1:9/x", "http://localhost:9", "http://[::1]:9/",
     " https://hooks.example/x "],
)  # fmt: skip
def test_https_or_this_machine(url: str) -> None:
    found = webhook_of(url)
    assert found is not None
    assert found.url == url.strip()


@pytest.mark.parametrize(
    "url",
    [f"http://hooks.example/{SECRET}", f"http://127.0.0.1.example/{SECRET}", f"file:///{SECRET}", f"ftp://x/{SECRET}",
     f"https://user:{SECRET}@hooks.example/", f"https:///{SECRET}", SECRET, f"https://hooks.example:no/{SECRET}",
     f"https://hooks.example/{SECRET} x", f"//hooks.example/{SECRET}"],
)  # fmt: skip
def test_anything_else_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        webhook_of(url)
    assert SECRET not in str(raised.value)


def test_no_address_is_no_webhook() -> None:
    assert webhook_of("") is None
    assert webhook_of("  ", "token") is None
