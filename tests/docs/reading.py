"""Our pages, and what stands in them."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")


def pages() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"],
                            cwd=ROOT, capture_output=True, text=True, check=True).stdout  # fmt: skip
    return [ROOT / name for name in listed.split()]


def pages_of_today() -> list[Path]:
    """All but the changelog, which names what has gone, too."""
    return [page for page in pages() if page.name != "CHANGELOG.md"]


def prose(text: str) -> str:
    """Without what stands between fences."""
    return _FENCED.sub("", text)


def spans(text: str) -> list[str]:
    """What stands in backticks."""
    return _SPAN.findall(prose(text))


def fenced_lines(text: str) -> list[str]:
    return "\n".join(_FENCED.findall(text)).splitlines()
