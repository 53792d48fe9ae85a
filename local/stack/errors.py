"""The one error of the local stack."""


class Unavailable(Exception):
    """The stack cannot be had: one sentence that says why and what cures it; commands print it and exit 2."""
