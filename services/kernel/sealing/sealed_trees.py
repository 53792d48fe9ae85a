"""Trees as the table holds them: packed, and sealed with the installation's key."""

import base64
import struct
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from services.kernel.errors import Sealed
from services.kernel.sealing.keys import TreeKeys
from services.kernel.sealing.tree import Tree
from services.kernel.secrets import Secrets

COLUMN = "seal_trees.tree"


def sealed_tree(store: UUID, tree: Tree, secrets: Secrets) -> str:
    return secrets.seal(base64.b64encode(tree.packed()).decode(), organization=store, column=COLUMN)


def opened_tree(store: UUID, row: Mapping[str, Any], secrets: Secrets) -> TreeKeys:
    """`row` has id, begins_at and tree. Raises Sealed where another installation key sealed it."""
    text = secrets.open(row["tree"], organization=store, column=COLUMN)
    begins = row["begins_at"]
    if isinstance(begins, str):  # the door's copy on disk
        begins = datetime.fromisoformat(begins)
    try:
        return TreeKeys(UUID(str(row["id"])), begins, Tree.unpacked(base64.b64decode(text)))
    except (struct.error, ValueError) as cause:
        raise Sealed(f"a tree of keys of store {store} is damaged") from cause
