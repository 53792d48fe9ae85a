"""Every relative link in a page of ours leads to a file or folder that exists."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"],
                            cwd=_ROOT, capture_output=True, text=True, check=True).stdout  # fmt: skip
    return [_ROOT / name for name in listed.split()]


def links(page: Path) -> Iterator[str]:
    """Those that stay within the repo, without what they name in the page."""
    for target in _LINK.findall(_FENCED.sub("", page.read_text())):
        if not re.match(r"[a-z]+:|#", target):
            yield target.partition("#")[0]


def test_every_relative_link_leads_to_something() -> None:
    found = [(page, link) for page in pages() for link in links(page)]
    assert len(found) > 50, "the pages were not read"
    broken = [f"{page.relative_to(_ROOT)}: {link}" for page, link in found if not (page.parent / link).exists()]
    assert broken == []
