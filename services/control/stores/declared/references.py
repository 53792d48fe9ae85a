"""Secrets by their place: `env:NAME` or `file:PATH`. What is read is never part of a sentence."""

import os
from pathlib import Path

from pydantic import SecretStr

from services.kernel.errors import Refusal

_LONGEST = 16_384


def secret_at(reference: str, folder: Path) -> SecretStr:
    """The secret; a relative path begins at `folder`. Raises Refusal where there is none."""
    kind, _, name = reference.partition(":")
    text = os.environ.get(name, "") if kind == "env" else _content(folder / Path(name).expanduser(), reference)
    if not text.strip():
        raise Refusal(f"{reference} is {'not set' if kind == 'env' else 'empty'}")
    return SecretStr(text.strip())


def _content(path: Path, reference: str) -> str:
    try:
        with path.open("rb") as file:
            # Some editors of Windows begin a file with a mark that is no part of it.
            return file.read(_LONGEST).decode("utf-8-sig", errors="replace")
    except OSError as cause:
        raise Refusal(f"{reference} cannot be read: {cause.strerror}") from cause
