"""Kinds of things, in a shop's own words: of an order, of a session. What a customer likes is reckoned from both."""

from collections.abc import Iterable

import orjson


def json(categories: Iterable[str]) -> str:
    """As their column has them: each once, in one order, so that the same set is the same row."""
    return orjson.dumps(sorted(set(categories))).decode()
