"""Notifications to a web address of the operator's. The address may be a secret, and is never shown."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from dsam_assets.errors import ConfigError, DsamError

TIMEOUT_SECONDS = 5.0
VARIABLE = "DSAM_WEBHOOK_URL"


class WebhookError(DsamError):
    """A notification could not be delivered."""


@dataclass(frozen=True)
class Webhook:
    """An address that takes JSON by POST.

    Attributes:
        url: https, or http to this machine.
        token: sent as a bearer token; empty for none.
    """

    url: str = field(repr=False)
    token: str = field(default="", repr=False)

    def send(self, document: Mapping[str, Any]) -> None:
        """Deliver a notification; redirects are not followed, they could lead anywhere.

        Raises:
            WebhookError: it was not taken.
        """
        from urllib.error import HTTPError, URLError
        from urllib.request import Request, build_opener

        headers = {"Content-Type": "application/json", "User-Agent": "dsam"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = Request(self.url, json.dumps(document).encode(), headers, method="POST")  # noqa: S310 (webhook_of)
        try:
            with build_opener(_no_redirect()).open(request, timeout=TIMEOUT_SECONDS):
                return
        except HTTPError as error:
            problem = f"HTTP {error.code}"
        except URLError as error:
            problem = type(error.reason).__name__
        except (OSError, ValueError) as error:
            problem = type(error).__name__  # its text may hold the address
        raise WebhookError("The notification was not delivered.", where=VARIABLE, got=problem) from None


def _no_redirect() -> Any:
    from urllib.request import HTTPRedirectHandler

    class Stay(HTTPRedirectHandler):
        def redirect_request(self, *_: Any, **__: Any) -> None:
            return None

    return Stay()


def webhook_of(url: str, token: str = "") -> Webhook | None:
    """The webhook of an address; `None` without one.

    Raises:
        ConfigError: the address is neither https nor on this machine, or holds a password.
    """
    if not url.strip():
        return None
    problem = _problem(url.strip())
    if problem:
        raise ConfigError(
            f"The webhook's address {problem}.",
            where=VARIABLE,
            wanted="https://…, or http:// to this machine",
            fix="Put a password into DSAM_WEBHOOK_TOKEN, not into the address.",
        )
    return Webhook(url.strip(), token.strip())


def _problem(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port
    except ValueError:
        return "cannot be read"
    if not host or port == 0 or any(letter.isspace() for letter in url):
        return "cannot be read"
    if parts.username is not None or parts.password is not None:
        return "holds a user's name or password"
    if parts.scheme == "https" or (parts.scheme == "http" and _is_here(host)):
        return ""
    return "is not safe: what is sent could be read on the way"


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
