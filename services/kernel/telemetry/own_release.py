"""Which release this is, as error reports and traces name it."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def release() -> str:
    """`wootstream@0.1.0`; in a checkout that was never installed, `wootstream@unknown`."""
    try:
        return f"wootstream@{version('wootstream')}"
    except PackageNotFoundError:
        return "wootstream@unknown"
