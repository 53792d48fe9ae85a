"""The house as a newcomer meets it: names with two meanings, and rooms too full. `python -m local.house` lists both."""

import ast
import functools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

ROOMS = ("services", "schemas", "db", "local", "deploy", "benchmarks")
FULL_ROOM = 14  # files beside sub-rooms: about a dozen can be looked through, two more are no reason to move
_ROOT = Path(__file__).parent.parent

_NOUN = "Chatwoot's own noun: what it says in schemas, what the double keeps"
_LAYERS = "one noun, by layer: what is said of it, its table, what a service or the double does with it"
_OPTION = "an option of a verb's command, in the file of its verbs"

# Classes and aliases that bear one name for one idea, and which.
SAME_IDEA: Mapping[str, str] = {
    "Figures": "what is computed from facts: of a conversation, of a customer",
    "Key": "the columns that name a row, in each module of tables and its reader",
    **dict.fromkeys("Account ContactInbox Conversation Message Token User Webhook".split(), _NOUN),
    **dict.fromkeys("Currency Email JsonOption Locale Name SinceOption Slug StoreOption UntilOption".split(), _OPTION),
}
# Modules whose name says their part in a room, wherever the room is; and those of one noun in several layers.
SAME_MODULE: Mapping[str, str] = {
    "api": "what its service answers over HTTP",
    "app": "what a service adds to a process",
    "cli": "the verbs of its room",
    "events": "what a service hears",
    "handlers": "what it does in the batch's transaction",
    "metrics": "every metric of its room",
    "figures": "what is computed from facts",
    "errors": "what its room raises",
    "answer": "what its room answers: a door, the audit",
    "settings": "the settings, and the verb that shows them",
    "difference": "what is wanted against what Chatwoot has: of a contact, of a store",
    "reseal": "what an older key sealed, under the newest: in the database, in the spool",
    "spool": "the spool, and its benchmark",
    **dict.fromkeys(
        ("account_details acknowledged attributes audit beacons completeness contacts conversations facts identity "
         "inboxes months provisioning refusals retention reports rest shop stores topics undelivered "
         "webhooks widget").split(),
        _LAYERS,
    ),
}  # fmt: skip
# Two meanings, and full rooms, that are known: what tells them apart until one is renamed. A test says which have gone.
KNOWN: Mapping[str, str] = {}


def modules() -> Iterator[Path]:
    """Every module of the product, of a developer's machine and of the benchmarks."""
    for room in ROOMS:
        yield from sorted((_ROOT / room).rglob("*.py"))


def _defined(path: Path) -> Iterator[str]:
    """Classes and aliases that others may see."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign) and isinstance(name := node.targets[0], ast.Name) and _is_alias(node.value):
            yield name.id


def _is_alias(value: ast.expr) -> bool:
    """A type by another name, and no TypeVar, which means nothing outside its module."""
    return isinstance(value, ast.Subscript | ast.BinOp | ast.Name)


@functools.cache
def class_homonyms() -> dict[str, list[Path]]:
    """Names that two modules give to different things."""
    named = ((name, path) for path in modules() for name in _defined(path))
    return _twice((name, path) for name, path in named if name[0].isupper() and not name.isupper())


def module_homonyms() -> dict[str, list[Path]]:
    return _twice((path.stem, path) for path in modules() if not path.stem.startswith("_"))


def _twice(named: Iterable[tuple[str, Path]]) -> dict[str, list[Path]]:
    places: dict[str, list[Path]] = defaultdict(list)
    for name, path in named:
        places[name].append(path.relative_to(_ROOT))
    return {name: found for name, found in sorted(places.items()) if len(found) > 1}


def unjustified() -> list[str]:
    """What a newcomer would stumble over, a line each."""
    lines = []
    for found, same in ((class_homonyms(), SAME_IDEA), (module_homonyms(), SAME_MODULE)):
        apart = found.keys() - same.keys() - KNOWN.keys()
        lines += [f"{name}: {', '.join(map(str, found[name]))}" for name in sorted(apart)]
    return lines + [f"{room}: {count} files in one room" for room, count in full_rooms().items() if room not in KNOWN]


def idle_reasons() -> list[str]:
    """Reasons for what is no homonym any more, or never was."""
    known = KNOWN.keys() - class_homonyms() - module_homonyms().keys() - full_rooms().keys()
    return sorted((SAME_IDEA.keys() - class_homonyms()) | (SAME_MODULE.keys() - module_homonyms()) | known)


def full_rooms() -> dict[str, int]:
    """Rooms with more files beside their sub-rooms than can be looked through."""
    files = Counter(str(path.parent.relative_to(_ROOT)) for path in modules() if path.name != "__init__.py")
    return {room: count for room, count in files.items() if count > FULL_ROOM}


def main() -> None:
    for line in unjustified():
        print(line)
    for name, reason in KNOWN.items():
        print(f"known: {name}: {reason}")


if __name__ == "__main__":
    main()
