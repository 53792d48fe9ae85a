"""The image's bill of materials: `python -m local.sbom > sbom.json`, CycloneDX 1.6.

Of the lock alone, so that it says what the installer checked, and is the same on every machine.
"""

import json
import re
from collections.abc import Iterator
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata, version
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from packaging.markers import Marker

_ROOT = Path(__file__).parents[1]
_PIN = re.compile(
    r"^(?P<name>[a-z0-9-]+)(?:\[[^\]]*\])?==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\]+?))? *\\\n"
    r"(?P<rest>(?:    .*\n?)*)",
    re.MULTILINE,
)
# What the image is: Linux, CPython, of the Dockerfile's release.
_IMAGE = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.12.0",
    "python_version": "3.12",
    "sys_platform": "linux",
}


def bill(lock: str, release: str) -> dict[str, Any]:
    """Every package that the image gets, with its hashes; the same lock gives the same bill."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, release + lock)}",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "bom-ref": "wootstream", "name": "wootstream", "version": release}
        },
        "components": list(_components(lock)),
    }


def _components(lock: str) -> Iterator[dict[str, Any]]:
    for pin in _PIN.finditer(lock):
        if pin["marker"] and not Marker(pin["marker"]).evaluate(_IMAGE):
            continue
        purl = f"pkg:pypi/{pin['name']}@{pin['version']}"
        component: dict[str, Any] = {
            "type": "library",
            "bom-ref": purl,
            "name": pin["name"],
            "version": pin["version"],
            "purl": purl,
        }
        if name := _licence(pin["name"]):
            component["licenses"] = [{"license": {"name": name}}]
        hashes = sorted(re.findall(r"--hash=sha256:([0-9a-f]{64})", pin["rest"]))
        # One distribution was installed; which of these it was depends on the platform.
        component["externalReferences"] = [
            {"type": "distribution", "url": purl, "hashes": [{"alg": "SHA-256", "content": one}]} for one in hashes
        ]
        yield component


def _first(said: PackageMetadata, name: str) -> str:
    """One line of it; the whole text of a licence is no name."""
    return str((said.get_all(name) or [""])[0]).partition("\n")[0]


def _licence(package: str) -> str:
    """As its metadata here names it; nothing where it is not installed."""
    try:
        said = metadata(package)
    except PackageNotFoundError:
        return ""
    classes = [one.rpartition(" :: ")[2] for one in said.get_all("Classifier") or [] if one.startswith("License ::")]
    return _first(said, "License-Expression") or ", ".join(classes) or _first(said, "License")


def main() -> None:
    print(json.dumps(bill((_ROOT / "requirements-run.lock").read_text(), version("wootstream")), indent=1))


if __name__ == "__main__":
    main()
