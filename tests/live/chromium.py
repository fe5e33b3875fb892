"""A headless browser, steered over its debugging socket: it opens pages, reads them, clicks, and takes pictures."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from websockets.sync.client import ClientConnection, connect

SIZE = (1600, 1000)
ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    f"--window-size={SIZE[0]},{SIZE[1]}", "--remote-debugging-port=0",
)  # fmt: skip


@dataclass
class Chromium:
    """One tab of a browser."""

    socket: ClientConnection
    shots: Path
    session: str = ""
    calls: int = 0
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the DevTools protocol; errors of the page that come meanwhile are kept."""
        self.calls += 1
        number = self.calls
        message = {"id": number, "method": method, "params": parameters}
        self.socket.send(json.dumps({**message, **({"sessionId": self.session} if self.session else {})}))
        while True:
            answer = json.loads(self.socket.recv(180))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer.get("method", ""), answer.get("params", {}))

    def _note(self, event: str, said: Mapping[str, Any]) -> None:
        if event == "Network.requestWillBeSent":
            self.requests.append(str(said["request"]["url"])[:200])
        elif event == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(said["exceptionDetails"])[:500])
        elif event == "Runtime.consoleAPICalled" and said["type"] in ("error", "assert"):
            self.errors.append(" ".join(str(each.get("value", each.get("description"))) for each in said["args"])[:500])
        elif event == "Log.entryAdded" and said["entry"]["level"] == "error":
            self.errors.append(f"{said['entry']['text']} {said['entry'].get('url', '')}"[:500])

    def attach(self) -> None:
        """Open the tab."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def resize(self, width: int, height: int) -> None:
        """Make the window as large as a screen of another device."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    @property
    def text(self) -> str:
        """What the page shows, as text."""
        return str(self.run("document.body ? document.body.innerText : ''"))

    def wait_for(self, *words: str, seconds: float = 300) -> str:
        """The page's text once it shows all words."""
        until = time.monotonic() + seconds
        while True:
            text = self.text
            missing = [word for word in words if word.lower() not in text.lower()]
            if not missing:
                return text
            if time.monotonic() > until:
                self.shoot("missing")
                raise AssertionError(f"not on the page: {missing}; it shows: {text[:3000]}")
            time.sleep(0.3)

    def shoot(self, name: str) -> Path:
        """A picture of the page as it is now."""
        picture = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        path = self.shots / f"{name}.png"
        path.write_bytes(picture)
        return path


@contextmanager
def chromium(program: str, folder: Path, shots: Path) -> Iterator[Chromium]:
    """A browser of its own, which is gone afterwards."""
    process = subprocess.Popen(
        [program, *ARGUMENTS, f"--user-data-dir={folder}", "about:blank"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with connect(_address(folder), max_size=None, open_timeout=30, ping_interval=None) as socket:
            tab = Chromium(socket, shots)
            tab.attach()
            yield tab
    finally:
        family = [*psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for each in psutil.wait_procs(family, timeout=10)[1]:
            each.kill()


def _address(folder: Path) -> str:
    """The browser says in a file where it listens."""
    port, until = folder / "DevToolsActivePort", time.monotonic() + 180
    while not (port.is_file() and len(port.read_text().split()) == 2):
        assert time.monotonic() < until, "the browser did not start"
        time.sleep(0.1)
    number, path = port.read_text().split()
    return f"ws://127.0.0.1:{number}{path}"
