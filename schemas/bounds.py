"""The bounds of every value that others send: what our code can reckon with and PostgreSQL can hold.

A value out of its bounds is refused by its type, and the body with it, unless the model says that it may be left out:
`OrNone`, `OrElse`, `Elements`. Texts are never refused for what they hold: they are cleaned and cut.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

T = TypeVar("T")

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_FIRST_YEAR, _END_YEAR = EARLIEST.year, LATEST.year
MOST_SECONDS = int(LATEST.timestamp()) - 1
MOST_INT4, MOST_INT8 = 2**31 - 1, 2**63 - 1
NAME_CHARACTERS, URL_CHARACTERS = 255, 2048
MOST_ELEMENTS = 1_000
_NO_MOMENT = "lies before 1970 or after 2199"
_WIDEST_BITS = 512  # of a whole number that is kept as text


class OrElse:
    """What a field has where its value is out of bounds: pydantic's own way, which costs no Python."""

    def __init__(self, default: object) -> None:
        self._default = default

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_default_schema(handler(source), default=self._default, on_error="default")


class _Omitted:
    """An element that is out of bounds is left out of its tuple or hash."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_default_schema(handler(source), on_error="omit")


OrNone = Annotated[T | None, OrElse(None)]
OrOmitted = Annotated[T, _Omitted()]
Elements = Annotated[tuple[OrOmitted[T], ...], Field(max_length=MOST_ELEMENTS), OrElse(())]


def text(value: str, characters: int) -> str:
    """Without NUL and lone surrogates, which PostgreSQL's text cannot hold, and no longer than that."""
    if len(value) > characters:
        value = value[:characters]
    if "\0" in value:
        value = value.replace("\0", "\ufffd")
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def moment(value: datetime) -> datetime:
    """In UTC; one without a zone is meant so. Raises ValueError for what lies before 1970 or after 2199."""
    if value.tzinfo is UTC and _FIRST_YEAR <= value.year < _END_YEAR:  # as our own doors write it
        return value
    try:
        utc = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except OverflowError as cause:  # the calendar's first and last day are not everywhere
        raise ValueError(_NO_MOMENT) from cause
    if not _FIRST_YEAR <= utc.year < _END_YEAR:
        raise ValueError(_NO_MOMENT)
    return utc


def moment_in(value: object) -> datetime | None:
    """The moment that an ISO 8601 text names, or None."""
    try:
        return moment(datetime.fromisoformat(value)) if isinstance(value, str) else None
    except ValueError:
        return None


def moment_at(seconds: float | str | None) -> datetime | None:
    """The moment of so many unix seconds, a number or its decimal text, or None. In Chatwoot 0 means never."""
    try:
        whole = float(seconds or 0)
    except (ValueError, OverflowError):
        return None
    return datetime.fromtimestamp(whole, UTC) if 0 < whole <= MOST_SECONDS else None


def is_present(value: object) -> bool:
    """Rails' `present?`, by which Chatwoot asks for marks that callers of its API set: 0 is, an empty text is not."""
    if isinstance(value, int | float):
        return value is not False
    return bool(value.strip() if isinstance(value, str) else value)


def json_value(value: Any, *, depth: int, elements: int) -> Any:
    """The same as JSON that PostgreSQL can hold: texts cleaned, wide numbers as text, no number that is none.

    Raises ValueError for what is nested deeper than `depth` or has more than so many elements.
    """
    return _clean(value, depth, elements)[0]


def _clean(value: Any, depth: int, left: int) -> tuple[Any, int]:
    if isinstance(value, str):
        return text(value, len(value)), left
    if isinstance(value, dict | list | tuple):
        return _clean_elements(value, depth, left - len(value))
    if isinstance(value, int) and not -MOST_INT8 <= value <= MOST_INT8:
        if value.bit_length() > _WIDEST_BITS:
            raise ValueError("a number has too many digits")
        return str(value), left
    if isinstance(value, float) and not -1e308 <= value <= 1e308:
        return None, left
    return value, left


def _clean_elements(value: Any, depth: int, left: int) -> tuple[Any, int]:
    if depth <= 0:
        raise ValueError("too deep")
    if left < 0:
        raise ValueError("too many elements")
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    clean = {}
    for key, one in pairs:
        clean[text(key, NAME_CHARACTERS) if isinstance(key, str) else key], left = _clean(one, depth - 1, left)
    return (clean if isinstance(value, dict) else list(clean.values())), left


def json_hash(value: Any, *, depth: int, elements: int, bytes_each: int, bytes_all: int) -> dict[str, Any]:
    """A hash's keys as far as they are in bounds, one by one; anything else than a hash has none."""
    kept: dict[str, Any] = {}
    if not isinstance(value, dict):
        return kept
    for key, one in value.items():
        if elements <= 0:
            break
        try:
            clean, left = _clean(one, depth, elements - 1)
        except ValueError:
            continue
        size = len(orjson.dumps(clean)) + len(key)
        if size <= min(bytes_each, bytes_all):
            kept[text(key, NAME_CHARACTERS)] = clean
            elements, bytes_all = left, bytes_all - size
    return kept


def _cut(characters: int) -> AfterValidator:
    return AfterValidator(lambda value: text(value, characters))


Name = Annotated[str, _cut(NAME_CHARACTERS)]
Url = Annotated[str, _cut(URL_CHARACTERS)]
Id = Annotated[int, Field(ge=1, le=MOST_INT4)]  # of all rows of Chatwoot but messages
LongId = Annotated[int, Field(ge=1, le=MOST_INT8)]
Count = Annotated[int, Field(ge=0, le=MOST_INT8)]
Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1e15, le=1e15)]
Moment = Annotated[datetime, AfterValidator(moment)]
Seconds = Annotated[int, Field(ge=0, le=MOST_SECONDS)]  # unix time
FineSeconds = Annotated[float, Field(ge=0, le=MOST_SECONDS, allow_inf_nan=False)]
Mark = Annotated[bool, BeforeValidator(is_present)]  # whatever JSON it is
