"""The proof: Anna is erased while all of hers still lies in topics, letters, a spool and yesterday's database."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from db.records.dead_letters import LetterFilter
from services.control.dead_letters.redrive import redrive
from services.kernel import Record, Settings
from services.privacy.erasures import erasure
from services.privacy.who import meant
from tests.forget.dump import dumped, hits_in, restored, rows_as_text
from tests.forget.opening import held_of, openable, shown
from tests.forget.people import Visitor
from tests.forget.scene import Scene, copy_database, drop_database, scene_on
from tests.forget.search import hits
from tests.publishing import publish_all


@dataclass
class Found:
    """Hits of a search for Anna, and of one for Ben, who stays, by the moment of the search."""

    anna: dict[str, Counter[str]] = field(default_factory=dict)
    by_dump: bool = False  # yesterday was dumped and restored by PostgreSQL's own programs
    ben: dict[str, Counter[str]] = field(default_factory=dict)
    shown: int = 0  # hits of either in the topics' own bytes, where the store seals
    openable: dict[str, int] = field(default_factory=dict)  # her records that some key that is left opens, by database

    @property
    def forgotten(self) -> bool:
        """Nothing of her after it; something before, and where nobody asks who was erased; he is still there."""
        after = [count for moment, count in self.anna.items() if moment not in ("before", "unasked")]
        seen = self.anna["before"] and self.anna["unasked"]
        shut = not self.shown and not any(self.openable.values())
        return bool(seen) and not any(after) and all(self.ben.values()) and shut


async def prove(
    settings: Settings, url: str, directory: Path, mark: str, *, thorough: bool, seal: bool = False
) -> Found:
    """`url` names an empty database, `directory` is the installation's own, `mark` is found nowhere yet.

    Thorough: each way back alone, and looked at. Where the store is to `seal`, the topics' bytes are looked at, too."""
    scene = await scene_on(settings, url, directory, seal=seal)
    anna, ben = Visitor(scene.store, f"anna{mark}", 81_000_001), Visitor(scene.store, f"ben{mark}", 72_000_002)
    for number, person in ((anna.number, anna), (ben.number, ben)):
        scene.api.add(scene.host, number, name=person.mark, email=person.email, phone_number=person.phone,
                      identifier=person.customer)  # fmt: skip
    found, ids = Found(), set[str | None]()

    async def look(moment: str, where: Scene) -> None:
        found.anna[moment] = await hits(where.url, anna.needles, directory=directory)
        found.ben[moment] = await hits(where.url, ben.needles)
        chatwoot = repr(list(where.api.contacts(where.host).values())).lower()
        found.anna[moment]["Chatwoot"] += chatwoot.count(anna.mark)
        if thorough and (rows := await rows_as_text(where.url)) is not None:
            found.anna[moment]["pg_dump"] += hits_in(rows, anna.needles).total()
        found.anna[moment] = +found.anna[moment]

    async def told(word: str) -> list[Record]:
        hers = await scene.as_doors_take(anna.told(word))
        ids.update(one.id for one in hers)
        return [*hers, *await scene.as_doors_take(ben.told(word))]

    async with scene.running() as process:
        await publish_all(process.publisher, await told("one"))
        await scene.caught_up()
    dump, called = directory.with_name(f"{directory.name}-{mark}.dump"), f"{url.rpartition('/')[2]}_yesterday"
    found.by_dump = await dumped(url, dump)
    yesterday = "" if found.by_dump else await copy_database(url, called)
    unasked = await copy_database(url, f"{url.rpartition('/')[2]}_unasked")
    async with scene.running() as process:
        await publish_all(process.publisher, await told("since"))
        await scene.caught_up()
    await scene.spool(await told("spooled"))
    await look("before", scene)

    async with scene.sending() as process:
        begun = await erasure.begin(process, scene.store, meant(anna.email.lower()))
        waiting = await erasure.carry_on(begun)
        assert not waiting, waiting
    await look("erased", scene)

    if thorough:
        await scene.consume_all("-again")
        await look("replayed", scene)
    await redrive(scene.settings, LetterFilter(), store=None, limit=None, advance=lambda _done, _all: None)
    if thorough:
        await scene.consume_all()
        await look("redriven", scene)
    assert await scene.drain() == len(anna.told("")) + len(ben.told(""))
    await scene.consume_all("-again")
    if thorough:
        await scene.consume_all()
    await look("drained", scene)

    if found.by_dump:
        yesterday = await restored(dump, url, called)
        dump.unlink()
    try:
        back = scene.on(yesterday)
        await back.consume_all(privacy=True)
        await look("restored", back)
        if seal:
            records = await held_of(scene)
            found.shown = shown(records, [*anna.needles, *ben.needles])
            hers, his = ([one for one in records if (one.id in ids) is is_hers] for is_hers in (True, False))
            for name, where in (("now", scene), ("restored", back)):
                found.openable[name] = await openable(where, hers)
                assert await openable(where, his), "a search that opens nothing shows nothing"
        await scene.on(unasked).consume_all(blind=True)
        await look("unasked", scene.on(unasked))
    finally:
        for other in (yesterday, unasked):
            await drop_database(other)
    return found
