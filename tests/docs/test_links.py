"""Every relative link in a page of ours leads to a file or folder that exists."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.docs.reading import ROOT, pages, prose

_LINK = re.compile(r"\]\(([^)\s]+)\)")


def links(page: Path) -> Iterator[str]:
    """Those that stay within the repo, without what they name in the page."""
    for target in _LINK.findall(prose(page.read_text())):
        if not re.match(r"[a-z]+:|#", target):
            yield target.partition("#")[0]


def test_every_relative_link_leads_to_something() -> None:
    found = [(page, link) for page in pages() for link in links(page)]
    assert len(found) > 50, "the pages were not read"
    broken = [f"{page.relative_to(ROOT)}: {link}" for page, link in found if not (page.parent / link).exists()]
    assert broken == []
