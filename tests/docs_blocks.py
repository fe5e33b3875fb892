"""The fenced blocks of README.md and docs/, and what may keep one from being run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHELL, PYTHON, YAML = "sh", "python", "yaml"
# Text that nothing is asked of: R for comparison, and blocks without a language, unless they hold commands.
PLAIN = ("r", "text", "math", "")
_COMMAND = re.compile(r"^(?:\$ )?(?:\.venv/bin/)?(?:dsam|make|python|pip|pytest) ", re.MULTILINE)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_STATUS = re.compile(r"<!-- exit status: (\d+) -->\n$")
_FILE = re.compile(r"# (configs/[\w/]+\.yaml)\n")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: its file, relative to the project.
        line: of the opening fence.
        language: after the fence.
        text: between the fences.
        status: exit status of its last command; the comment above the block says when it is not 0.
    """

    page: str
    line: int
    language: str
    text: str
    status: int

    @property
    def file(self) -> str | None:
        """The file that a YAML block is, named in its first line."""
        found = _FILE.match(self.text)
        return found[1] if found and self.language == YAML else None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """README and everything in docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page, in their order."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        before = text[: found.start()]
        status = _STATUS.search(before)
        yield Block(
            str(page.relative_to(ROOT)),
            before.count("\n") + 1,
            SHELL if not found[1] and _COMMAND.search(found[2]) else found[1],
            found[2],
            int(status[1]) if status else 0,
        )


def all_blocks() -> list[Block]:
    """The blocks of all pages."""
    return [block for page in pages() for block in blocks(page)]


# Page → first command of a block → why no test runs it.
EXCUSED: Mapping[str, Mapping[str, str]] = {
    "README.md": {
        "make demo": "sets up an environment from package indexes",
        "make ui": "starts a server",
        "make test-slow": "is the tests",
    },
    "docs/calibration.md": {".venv/bin/pytest tests/recovery/test_calibration.py -m slow": "is a test itself"},
    "docs/fleet.md": {
        "dsam refresh --concurrency 2": "fits every demo; tests/cli/test_fleet_commands.py has it on small markets"
    },
    "docs/getting-started.md": {"make env": "sets up an environment from package indexes"},
    "docs/how-to/operate-the-ui.md": {
        "dsam ui --configs configs": "starts a server",
        "DSAM_SENSORS=running DSAM_SCHEDULES=running dsam ui --configs configs": "starts a server",
    },
}


def first_command(block: Block) -> str:
    """The first line of a block, without the comment at its end."""
    return re.split(r"\s+#", block.text.splitlines()[0])[0]


def excuse(block: Block) -> str | None:
    """Why a block is not run, if it is not."""
    return EXCUSED.get(block.page, {}).get(first_command(block))


def commands(block: Block) -> list[str]:
    """The lines of a shell block that call `dsam`, without what comes before and after the command."""
    lines = block.text.replace("\\\n", " ").splitlines()
    found = (re.search(r"(?:^|[;|&]\s*|^(?:\w+=\S+ )+)(dsam(?: [^|>&;#]*)?)", line) for line in lines)
    return [match[1].strip() for match in found if match]
