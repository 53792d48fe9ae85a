"""Every link in a page of ours that stays within the repo leads to a file, folder or heading that exists."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.docs.reading import ROOT, pages, prose

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def links(page: Path) -> Iterator[tuple[str, str]]:
    """The file of each, as the page names it, and the heading in it."""
    for target in _LINK.findall(prose(page.read_text())):
        if not re.match(r"[a-z]+:", target):
            path, _, heading = target.partition("#")
            yield path, heading


def headings(page: Path) -> set[str]:
    """As links name them: GitHub's way."""
    titles = _HEADING.findall(prose(page.read_text()))
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_relative_link_leads_to_something() -> None:
    found = [(page, path) for page in pages() for path, _ in links(page)]
    assert len(found) > 50, "the pages were not read"
    broken = [f"{page.relative_to(ROOT)}: {path}" for page, path in found if not (page.parent / path).exists()]
    assert broken == []


def test_every_heading_that_a_link_names_is_there() -> None:
    found = [
        (page, page.parent / path if path else page, name) for page in pages() for path, name in links(page) if name
    ]
    assert len(found) > 5
    assert [f"{page.relative_to(ROOT)}: {name}" for page, there, name in found if name not in headings(there)] == []
