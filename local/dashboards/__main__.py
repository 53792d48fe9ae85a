"""`python -m local.dashboards`: write deploy/grafana/dashboards anew."""

import json
from collections.abc import Mapping
from pathlib import Path

from local.dashboards.pages import PAGES

FOLDER = Path(__file__).parents[2] / "deploy/grafana/dashboards"


def files() -> Mapping[str, str]:
    """What each file is to hold."""
    return {f"{page.name.lower()}.json": json.dumps(page.as_json(), indent=2) + "\n" for page in PAGES}


if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text)
