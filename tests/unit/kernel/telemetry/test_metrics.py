"""The kernel's metrics: each is told what it means and what to do, and none is declared for nothing."""

import ast
import re
from pathlib import Path

import pytest

import services.kernel
from services.kernel.telemetry import metrics

_KERNEL = Path(services.kernel.__file__).parent
_SOURCE = Path(metrics.__file__).read_text()
_DECLARED = [
    node.targets[0].attr
    for node in ast.walk(ast.parse(_SOURCE))
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute)
]


@pytest.mark.parametrize("name", _DECLARED)
def test_a_metric_that_is_declared_is_set_somewhere(name: str) -> None:
    users = [path.name for path in _KERNEL.rglob("*.py") if re.search(rf"metrics\.{name}\.labels", path.read_text())]
    assert users


@pytest.mark.parametrize("name", _DECLARED)
def test_a_metric_has_its_meaning_and_what_to_do_above_it(name: str) -> None:
    [above] = re.findall(rf"((?: +#.*\n)+) +self\.{name} =", _SOURCE)
    assert above.count(". ") >= 1 or ":" in above, above
