"""What stands before the doors leads to each of them: nginx, Kubernetes' Ingress and the Gateway's route."""

import ast
import re
from pathlib import Path

import pytest

from services.ingress import app, openapi

_ROOT = Path(__file__).parents[3]
_FRONTS = ("deploy/nginx/nginx.conf.template", "k8s/overlays/small/ingress.yaml", "k8s/overlays/large/route.yaml")


def doors() -> set[str]:
    """Where the doors' paths begin, as the ingress opens them."""
    calls = (node for node in ast.walk(ast.parse(Path(app.__file__).read_text())) if isinstance(node, ast.Call))
    opened = (one.args[0] for one in calls if isinstance(one.func, ast.Attribute) and one.func.attr == "door")
    return {getattr(app, one.id) for one in opened if isinstance(one, ast.Name)}


@pytest.mark.parametrize("front", _FRONTS)
def test_each_door_is_led_to(front: str) -> None:
    led_to = set(re.findall(r"(?<=[\s=])/[a-z][\w/]*", (_ROOT / front).read_text()))
    assert len(doors()) == 5
    assert {door for door in doors() if not any(door.startswith(path) for path in led_to)} == set()


def test_each_door_is_described() -> None:
    paths = openapi.description("1")["paths"]
    assert {door for door in doors() if not any(path.startswith(door) for path in paths)} == set()
