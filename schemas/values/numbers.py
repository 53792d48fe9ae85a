"""Numbers as JSON has them."""

from pydantic import BeforeValidator


def _whole(number: object) -> object:
    return int(number) if isinstance(number, float) and number.is_integer() else number


# Before a strict int: 12.0 is 12, while "12" and true are no numbers.
WHOLE = BeforeValidator(_whole)
