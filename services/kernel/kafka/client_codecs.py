"""How the client folds and unfolds batches, replaced where it looks that up: it has no better place to say it."""

import importlib
from collections.abc import Callable
from typing import Any

# Compiled and not.
_LOOKED_UP_IN = ("aiokafka.record._crecords.default_records", "aiokafka.record.default_records")


def replace_codecs(**codecs: Callable[[Any], bytes]) -> None:
    """For every producer and consumer of this process; by the names of aiokafka's own, such as `zstd_encode`."""
    for name in _LOOKED_UP_IN:
        try:
            module = importlib.import_module(name)
        except ImportError:  # where nothing is compiled
            continue
        for codec, function in codecs.items():
            setattr(module, codec, function)
