"""`stores.yaml` as it is read: every mistake with its line, of all stores at once; then each store as it is wanted."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import BaseModel, SecretStr, ValidationError

from schemas.stores_file import Server, StoreDefaults, StoreEntry, StoresFile
from services.control.stores.declared.references import secret_at
from services.kernel.errors import Refusal

_MOST_BYTES = 8 * 1024 * 1024
_DEEPEST = 12  # anchors can name what they stand in
_SECRETS = ("api_access_token", "event_secret", "vouching_secret", "shopify_secret")
_KEY = "[key]"  # pydantic's word for a key that is refused
_MERGE = "tag:yaml.org,2002:merge"
Where = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class WantedStore:
    """A store of the file, defaults filled in, secrets fetched."""

    slug: str
    entry: StoreEntry
    base_url: str
    platform_token: SecretStr | None = None
    api_access_token: SecretStr | None = None
    event_secret: SecretStr | None = None
    vouching_secret: SecretStr | None = None
    shopify_secret: SecretStr | None = None
    key_lost: bool = False  # what another installation key sealed is given up

    @property
    def is_made(self) -> bool:
        """Its account is made by us, and not one that is there."""
        return self.entry.account_id is None


class FileFault(NamedTuple):
    where: Where
    reason: str


def read(path: Path) -> list[WantedStore]:
    """The stores in the order of the file. Raises Refusal that names every mistake."""
    document, lines, faults = _parsed(path)
    faults += _model_faults(document)
    stores, more = _wanted(document, path.parent)
    if faults := [*faults, *more]:
        raise Refusal(_told(path, faults, lines))
    return stores


def _parsed(path: Path) -> tuple[Any, dict[Where, int], list[FileFault]]:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise Refusal(f"{path} is larger than {_MOST_BYTES:,} bytes")
        # libyaml's: a tenth of the time for 300 stores, and what is nested without end is refused, not recursed into.
        node = yaml.compose(content, Loader=yaml.CSafeLoader)
    except OSError as cause:
        raise Refusal(f"{path} cannot be read: {cause.strerror}") from cause
    except yaml.YAMLError as cause:
        mark = getattr(cause, "problem_mark", None)
        last = content.count(b"\n")  # libyaml names the line behind it where the file ends too early
        where = f"{path}:{min(mark.line, last) + 1}" if mark else str(path)
        raise Refusal(f"{where}: no YAML: {getattr(cause, 'problem', None) or 'it is not text'}") from cause
    reader = _Reader()
    document = reader.value(node, ()) if node is not None else {}
    return document, reader.lines, reader.faults


class _Reader(yaml.constructor.SafeConstructor):  # type: ignore[misc]
    """YAML's own values, and the line of each."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[Where, int] = {}
        self.faults: list[FileFault] = []

    def value(self, node: Any, where: Where) -> Any:
        self.lines.setdefault(where, node.start_mark.line + 1)
        if len(where) > _DEEPEST:
            self.faults.append(FileFault(where, "is nested too deeply"))
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, where)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(one, (*where, at)) for at, one in enumerate(node.value)]
        try:
            return self.construct_object(node)
        except (yaml.YAMLError, ValueError):
            self.faults.append(FileFault(where, "has a value that YAML cannot read"))
            return None

    def _mapping(self, node: Any, where: Where) -> dict[str, Any]:
        written = Counter(str(key.value) for key, _ in node.value if key.tag != _MERGE)
        for key, _ in node.value:
            if written[str(key.value)] > 1:
                self.lines[(*where, str(key.value))] = key.start_mark.line + 1
        self.faults += [FileFault((*where, name), "stands there twice") for name, times in written.items() if times > 1]
        self.flatten_mapping(node)
        found = {}
        for key, value in node.value:
            name = str(key.value)
            self.lines[(*where, name)] = key.start_mark.line + 1
            found[name] = self.value(value, (*where, name))
        return found


def _model_faults(document: Any) -> list[FileFault]:
    try:
        StoresFile.model_validate(document)
    except ValidationError as error:
        return list(_faults(error, ()))
    return []


def _faults(error: ValidationError, where: Where) -> Iterator[FileFault]:
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        reason = "there is no such key" if one["type"] == "extra_forbidden" else one["msg"]
        yield FileFault((*where, *one["loc"]), reason.removeprefix("Value error, "))


def _wanted(document: Any, folder: Path) -> tuple[list[WantedStore], list[FileFault]]:
    """Every store that can be read by itself, and what is wrong between the stores, or with their secrets."""
    servers = _readable(document, "chatwoots", Server)
    defaults = _read_as(StoreDefaults, _part(document, "defaults")) or StoreDefaults()
    stores, faults = [], []
    for slug, entry in _readable(document, "stores", StoreEntry).items():
        given = {name: getattr(defaults, name) for name in StoreDefaults.model_fields if getattr(entry, name) is None}
        entry = entry.model_copy(update=given)
        name = entry.chatwoot or (next(iter(servers)) if len(servers) == 1 else None)
        if name not in servers:
            known = ", ".join(_part(document, "chatwoots")) or "none"
            if name not in _part(document, "chatwoots"):
                reason = f"names no chatwoot of {known}" if name else f"must name one of {known}"
                faults.append(FileFault(("stores", slug, "chatwoot"), reason))
            continue
        store, more = _with_secrets(slug, entry, name, servers[name], folder)
        faults += more
        stores.append(store)
    return stores, [*dict.fromkeys(faults), *_shared(stores)]


def _with_secrets(
    slug: str, entry: StoreEntry, name: str, server: Server, folder: Path
) -> tuple[WantedStore, list[FileFault]]:
    references = {key: (("stores", slug, key), getattr(entry, key)) for key in _SECRETS}
    if entry.account_id is None:
        references["platform_token"] = (("chatwoots", name, "platform_token"), server.platform_token)
    found: dict[str, Any] = {}
    faults: list[FileFault] = []
    for key, (where, reference) in references.items():
        try:
            if reference:
                found[key] = secret_at(reference, folder)
        except Refusal as refusal:
            faults.append(FileFault(where, str(refusal)))
    if entry.account_id is None and not server.platform_token:
        faults.append(
            FileFault(("stores", slug), f"has no account_id, and chatwoot {name} no platform_token to make one")
        )
    return WantedStore(slug, entry, server.base_url, **found), faults


def _shared(stores: list[WantedStore]) -> list[FileFault]:
    """What two stores cannot both have."""
    faults = []
    for key in ("account_id", "website_token", "agent_email", "organization_id"):
        first: dict[Any, str] = {}
        for store in stores:
            value = getattr(store.entry, key)
            mark = (store.base_url, value)
            if value is not None and first.setdefault(mark, store.slug) != store.slug:
                faults.append(FileFault(("stores", store.slug, key), f"is {first[mark]}'s already"))
    return faults


def _part(document: Any, name: str) -> dict[str, Any]:
    found = document.get(name) if isinstance(document, dict) else None
    return found if isinstance(found, dict) else {}


def _readable(document: Any, name: str, model: type[Any]) -> dict[str, Any]:
    read = {key: _read_as(model, one) for key, one in _part(document, name).items()}
    return {key: one for key, one in read.items() if one is not None}


def _read_as(model: type[BaseModel], value: object) -> Any:
    try:
        return model.model_validate(value)
    except ValidationError:
        return None  # the file's own model names the mistake


def _told(path: Path, faults: list[FileFault], lines: dict[Where, int]) -> str:
    rows = sorted({(_line(fault.where, lines), _key(fault.where), fault.reason) for fault in faults})
    count = f"{len(rows)} mistake{'s' if len(rows) > 1 else ''}"
    return "\n".join((f"{path} has {count}:", *(f"  line {line}: {key}: {reason}" for line, key, reason in rows)))


def _line(where: Where, lines: dict[Where, int]) -> int:
    """Of the value, or of what it should stand in."""
    return next((lines[where[:end]] for end in range(len(where), -1, -1) if where[:end] in lines), 1)


def _key(where: Where) -> str:
    return ".".join(str(part) for part in where if part != _KEY) or "the file"
