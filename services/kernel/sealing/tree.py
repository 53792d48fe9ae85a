"""A tree of keys from which single leaves can be taken out for good (Goldreich, Goldwasser and Micali, 1986).

A node's four children are what BLAKE2b makes of it: whoever holds a node can reckon all that lies below it, and nothing
beside or above. A leaf's path is a name (40 bits of its hash) and a second of the tree's time (22 bits, 48 days). So a
whole tree is 16 bytes, nobody waits for a key, and nobody writes down who has which. What is taken out takes its
ancestors along; the branches beside them stay.
"""

import hashlib
import os
import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

NAME_BITS, SECOND_BITS = 40, 22
LAST_SECOND = (1 << SECOND_BITS) - 1
LEAF_DEPTH = (NAME_BITS + SECOND_BITS) // 2
_PATH_BITS = NAME_BITS + SECOND_BITS
_CHILDREN, _BYTES = 4, 16
_PACKED = struct.Struct(f">QB{_BYTES}s")


class Node(NamedTuple):
    """What opens the paths from `first` on, as many as lie below this depth."""

    first: int
    depth: int
    secret: bytes

    @property
    def last(self) -> int:
        return self.first | ((1 << _bits_below(self.depth)) - 1)

    def children(self) -> Iterator["Node"]:
        made, bits = hashlib.blake2b(self.secret).digest(), _bits_below(self.depth + 1)
        for number in range(_CHILDREN):
            secret = made[_BYTES * number : _BYTES * (number + 1)]
            yield Node(self.first | number << bits, self.depth + 1, secret)


def path_of(name: int, second: int) -> int:
    """The leaf of a name's second."""
    return name << SECOND_BITS | second


def descend(secret: bytes, path: int, depth: int, to: int) -> bytes:
    """From the node at `depth` above this path the one at the depth `to`."""
    blake2b = hashlib.blake2b  # by its own name: this loop is what sealing costs
    for below in range(_bits_below(depth) - 2, _bits_below(to) - 1, -2):
        at = (path >> below & 3) << 4
        secret = blake2b(secret).digest()[at : at + _BYTES]
    return secret


class Tree:
    """The nodes that are left, in the order of their paths; none lies below another."""

    __slots__ = ("_firsts", "nodes")

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = nodes
        self._firsts = [node.first for node in nodes]

    @classmethod
    def planted(cls) -> Self:
        """A whole one, of the system's randomness alone."""
        return cls([Node(0, 0, os.urandom(_BYTES))])

    @classmethod
    def unpacked(cls, packed: bytes) -> Self:
        """Raises struct.error."""
        return cls([Node(*one) for one in _PACKED.iter_unpack(packed)])

    def packed(self) -> bytes:
        return b"".join(_PACKED.pack(*node) for node in self.nodes)

    def above(self, path: int) -> Node | None:
        """The node from which this path can be reckoned; None: it was taken out."""
        at = bisect_right(self._firsts, path) - 1
        return self.nodes[at] if at >= 0 and path <= self.nodes[at].last else None

    def without(self, first: int, last: int) -> "Tree":
        """The same without these paths, which nobody can reckon from what is left."""
        return Tree([left for node in self.nodes for left in _left_of(node, first, last)])


def _left_of(node: Node, first: int, last: int) -> Iterator[Node]:
    if last < node.first or node.last < first:
        yield node
    elif not (first <= node.first and node.last <= last):
        for child in node.children():
            yield from _left_of(child, first, last)


def _bits_below(depth: int) -> int:
    return _PATH_BITS - 2 * depth
