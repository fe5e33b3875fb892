"""What a run prints while it runs: the steps that took a while, and which one is running now."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import TextIO

from dsam_assets.cli.words import count, is_terminal, paint, wrapped

STEP_WIDTH = 24
QUICK = 0.5  # seconds; quicker steps are counted, not listed
TICK, REMINDER = 1.0, 30.0  # seconds between two looks at the clock; between two lines where nothing can be redrawn
# Stan draws a bar of its own on a terminal while these run.
DRAW_THEMSELVES = ("posterior", "prior_predictive")
ERASE = "\r\033[K"


class StepLines(logging.Handler):
    """Prints a line per step that was computed and took a while, or of every step.

    Without a stream it only keeps the names.
    """

    def __init__(
        self, stream: TextIO | None, *, forced: bool = False, every: bool = False, clock: Clock | None = None
    ) -> None:
        super().__init__(logging.INFO)
        self.stream = stream
        self.forced = forced
        self.every = every
        self.clock = clock
        self.computed: list[str] = []
        self.reused: list[str] = []
        self._waiting: list[str] = []
        self._quick: list[float] = []

    def emit(self, record: logging.LogRecord) -> None:
        event, asset = record.getMessage(), getattr(record, "asset", "")
        self.rest()
        if event == "started":
            self.started(asset)
        # Config and data file are read in every run; that they say the same as before is no news unless all is forced.
        elif event == "reused" or (event == "unchanged" and not self.forced):
            self.reused.append(asset)
            self._waiting.append(asset)
        elif event in ("computed", "unchanged"):
            self._computed(asset, getattr(record, "seconds", 0.0), same=event == "unchanged")
        else:
            self.say(wrapped(event, "  ", "    "))

    def _computed(self, asset: str, seconds: float, *, same: bool) -> None:
        self.computed.append(asset)
        if not self.every and seconds < QUICK:
            self._quick.append(seconds)
            return
        self._flush_reused()
        self.say(f"  {asset:<{STEP_WIDTH}} {seconds:7.2f} s{', same result as before' if same else ''}")

    def started(self, what: str) -> None:
        """Something runs now."""
        if self.clock is not None:
            self.clock.start(what)

    def rest(self) -> None:
        """Nothing runs any more."""
        if self.clock is not None:
            self.clock.stop()

    def finish(self) -> None:
        """Print what has not been told yet."""
        self.rest()
        if self._quick:
            name = count(len(self._quick), "quick step")
            self.say(f"  {name:<{STEP_WIDTH}} {sum(self._quick):7.2f} s")
            self._quick.clear()
        self._flush_reused()

    def _flush_reused(self) -> None:
        """The reused steps since the last line, if every step is told."""
        if self._waiting and self.every and self.stream is not None:
            text = wrapped(f"reused, inputs unchanged: {', '.join(self._waiting)}", "  ", "    ")
            self.say(paint(text, "2", self.stream))
        self._waiting.clear()

    def say(self, text: str) -> None:
        """Print a line, as long as somebody reads."""
        if self.stream is None:
            return
        try:
            print(text, file=self.stream, flush=True)
        except BrokenPipeError:
            self.stream = None  # the reader has gone; the run goes on


class Clock:
    """Says which step is running and for how long: on a terminal in place, elsewhere by a line now and then.

    Args:
        screen: where a line can be redrawn; `None` where it cannot.
        say: prints a line.
    """

    def __init__(self, screen: TextIO | None, say: Callable[[str], None]) -> None:
        self.screen, self.say = screen, say
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, step: str) -> None:
        """A step begins."""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(step, self._ended), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """The step has ended."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _watch(self, step: str, ended: threading.Event) -> None:
        started = told = time.monotonic()
        drawn = False
        while not ended.wait(TICK):
            now = time.monotonic()
            if self.screen is not None and step not in DRAW_THEMSELVES:
                print(f"{ERASE}  {step} … {now - started:.0f} s", end="", file=self.screen, flush=True)
                drawn = True
            elif self.screen is None and now - told >= REMINDER:
                self.say(f"  {step} is running, {now - started:.0f} s")
                told = now
        if drawn:
            print(ERASE, end="", file=self.screen, flush=True)


def listen(
    stream: TextIO | None, *, forced: bool = False, every: bool = False, clock: TextIO | None = None
) -> StepLines:
    """Follow the graph's steps and Stan's compiling.

    Args:
        stream: where steps are told; nowhere without one.
        forced: whether every step is computed.
        every: name every step.
        clock: where to say which step is running; by default with the steps.
    """
    handler, place = StepLines(stream, forced=forced, every=every), clock or stream
    if place is not None:
        screen = sys.stderr if is_terminal(sys.stderr) else None
        handler.clock = Clock(screen, lambda text: print(text, file=place, flush=True))
    for name in ("dsam.progress", "dsam.stan"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False
    return handler
