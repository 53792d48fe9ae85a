"""docs/attributes.md, from the code that reckons them: `python -m services.contacts.attributes_page` writes it anew."""

from pathlib import Path

from schemas.attributes import VOLATILE
from schemas.chatwoot.attributes import SPECIFIED
from services.contacts.attributes import DERIVED

PATH = Path(__file__).parents[2] / "docs" / "attributes.md"
_HEAD = """# What a contact is told

Written by `python -m services.contacts.attributes_page` from the code that reckons each value, so it cannot say
anything else. Which of them leave the house is `allowed_attributes` of the store in `stores.yaml`; whether they leave
is its `push`. How money, days and numbers are written is its `formats`. An attribute of its `agents_may_change` stays
as somebody in Chatwoot has set it, every other is set back. Those marked * are sent only while a conversation with the
person is open, at most once a minute.

| attribute | shown as | meaning | from |
|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    kinds = {one.key: one.display_type for one in SPECIFIED}
    rows = (
        f"| `{name}`{'*' * (name in VOLATILE)} | {kinds[name]} | {one.meaning} | {one.source} |"
        for name, one in DERIVED.items()
    )
    return _HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PATH.write_text(page(), encoding="utf-8")
