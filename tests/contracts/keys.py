"""The keys of a JSON value, as paths; elements of a list are taken together."""

from typing import Any

# What a shop, a browser or Chatwoot's search for a portrait puts there belongs to no form.
_FREE = {"custom_attributes", "additional_attributes", "submitted_values", "ratings_count"}


def keys(value: Any, at: str = "") -> set[str]:
    if isinstance(value, dict):
        deeper = (keys(one, f"{at}.{key}") for key, one in value.items() if key not in _FREE)
        return {f"{at}.{key}" for key in value}.union(*deeper)
    if isinstance(value, list):
        return set().union(*(keys(one, f"{at}[]") for one in value))
    return set()
