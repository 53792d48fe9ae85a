"""The JSON Schemas of what others write, events, beacons and `stores.yaml`: `python -m schemas.published`.

They are made from the models that the doors judge by; a test says when the files are no longer what the models say.
"""

import json
from pathlib import Path

from pydantic import TypeAdapter

from schemas.beacons import BeaconPost
from schemas.shop import ShopEvent
from schemas.stores_file import StoresFile
from schemas.widget import PageConfig

FOLDER = Path(__file__).parent / "published"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def documents() -> dict[str, str]:
    """File name → text."""
    shop_event = TypeAdapter(ShopEvent).json_schema() | {"title": "ShopEvent"}
    schemas = {
        "shop-event": shop_event,
        "beacons": BeaconPost.model_json_schema(),
        "stores-file": StoresFile.model_json_schema(),
        "page-config": PageConfig.model_json_schema(mode="serialization", by_alias=True),
    }
    return {
        f"{name}.schema.json": json.dumps({"$schema": _DIALECT} | schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in schemas.items()
    }


def write(folder: Path = FOLDER) -> None:
    """Write every document."""
    folder.mkdir(exist_ok=True)
    for name, text in documents().items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    write()
