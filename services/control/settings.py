"""`settings`: each setting with its meaning, default, and where its value comes from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from services.kernel.cli.environment import environment, local_stack
from services.kernel.settings import Settings, is_secret

HIDDEN = "(hidden)"


@dataclass(frozen=True, slots=True)
class Setting:
    """One line; values as text, secrets hidden."""

    name: str
    variable: str
    value: str | None
    source: Literal["environment", "local stack", "default"]
    default: str | None
    meaning: str


def settings() -> Sequence[Setting]:
    """All of them, in the order in which they are declared. Raises Stop where one cannot be read."""
    given = environment()
    filled = local_stack(given)
    return [_setting(name, field, given, filled) for name, field in Settings.model_fields.items()]


def _setting(name: str, field: FieldInfo, given: Settings, filled: dict[str, str]) -> Setting:
    return Setting(
        name=name,
        variable=Settings.variable(name),
        value=_text(SecretStr(filled[name]) if is_secret(field) else filled[name])
        if name in filled
        else _text(getattr(given, name)),
        source="local stack" if name in filled else "environment" if name in given.model_fields_set else "default",
        default=None if field.default is PydanticUndefined else _text(field.default),
        meaning=field.description or "",
    )


def _text(value: object) -> str | None:
    return None if value is None else HIDDEN if isinstance(value, SecretStr) else str(value)
