"""What was taken out of a tree of keys nobody reckons from what is left; everything else is as it was."""

import random

from hypothesis import given
from hypothesis import strategies as st

from services.kernel.sealing.tree import LAST_SECOND, LEAF_DEPTH, NAME_BITS, Tree, descend, path_of

_NAMES = st.integers(0, (1 << NAME_BITS) - 1)
_SECONDS = st.integers(0, LAST_SECOND)


def _leaf(tree: Tree, path: int) -> bytes | None:
    node = tree.above(path)
    return descend(node.secret, path, node.depth, LEAF_DEPTH) if node else None


@given(
    cuts=st.lists(st.tuples(_NAMES, _SECONDS), min_size=1, max_size=6),
    others=st.lists(st.tuples(_NAMES, _SECONDS), max_size=6),
)
def test_a_cut_takes_a_names_past_and_nothing_else(cuts: list[tuple[int, int]], others: list[tuple[int, int]]) -> None:
    whole = tree = Tree.planted()
    for name, until in cuts:
        tree = tree.without(path_of(name, 0), path_of(name, until))
    gone = {name: max(until for one, until in cuts if one == name) for name, _ in cuts}
    near = [(name, second) for name, until in cuts for second in (0, until, min(until + 1, LAST_SECOND), LAST_SECOND)]
    for name, second in [*others, *near, *((name ^ 1, until) for name, until in cuts)]:
        path = path_of(name, second)
        expected = None if second <= gone.get(name, -1) else _leaf(whole, path)
        assert _leaf(tree, path) == expected


@given(cuts=st.lists(st.tuples(_NAMES, _SECONDS), min_size=1, max_size=6))
def test_no_ancestor_of_a_cut_is_left(cuts: list[tuple[int, int]]) -> None:
    tree = Tree.planted()
    for name, until in cuts:
        tree = tree.without(path_of(name, 0), path_of(name, until))
    for name, until in cuts:
        assert not [node for node in tree.nodes if node.first <= path_of(name, until) and path_of(name, 0) <= node.last]


def test_any_order_of_cuts_leaves_the_same_tree() -> None:
    whole, cuts = Tree.planted(), [(random.getrandbits(40), random.getrandbits(22)) for _ in range(20)]
    trees = []
    for order in (cuts, cuts[::-1], cuts * 2):
        tree = whole
        for name, until in order:
            tree = tree.without(path_of(name, 0), path_of(name, until))
        trees.append([*tree.nodes])
    assert trees[0] == trees[1] == trees[2]


def test_a_tree_is_the_same_once_it_was_kept() -> None:
    tree = Tree.planted().without(path_of(7, 0), path_of(7, 1000))
    assert [*Tree.unpacked(tree.packed()).nodes] == [*tree.nodes]
