"""The proof: Anna is erased while all of hers still lies in topics, letters, a spool and yesterday's database."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from db.records.dead_letters import LetterFilter
from services.control.dead_letters.redrive import redrive
from services.kernel import Settings
from services.privacy.erasures import erasure
from services.privacy.who import meant
from tests.forget.people import Visitor
from tests.forget.scene import Scene, copy_database, drop_database, scene_on
from tests.forget.search import hits
from tests.publishing import publish_all


@dataclass
class Found:
    """Hits of a search for Anna, and of one for Ben, who stays, by the moment of the search."""

    anna: dict[str, Counter[str]] = field(default_factory=dict)
    ben: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def forgotten(self) -> bool:
        """Nothing of her after it; something before, and where nobody asks who was erased; he is still there."""
        after = [count for moment, count in self.anna.items() if moment not in ("before", "unasked")]
        seen = self.anna["before"] and self.anna["unasked"]
        return bool(seen) and not any(after) and all(self.ben.values())


async def prove(settings: Settings, url: str, directory: Path, mark: str, *, thorough: bool) -> Found:
    """`url` names an empty database, `directory` is the installation's own, `mark` is found nowhere yet.

    Thorough: each way back alone, and looked at."""
    scene = await scene_on(settings, url, directory)
    anna, ben = Visitor(scene.store, f"anna{mark}", 81_000_001), Visitor(scene.store, f"ben{mark}", 72_000_002)
    for number, person in ((anna.number, anna), (ben.number, ben)):
        scene.api.add(scene.host, number, name=person.mark, email=person.email, phone_number=person.phone,
                      identifier=person.customer)  # fmt: skip
    found = Found()

    async def look(moment: str, where: Scene) -> None:
        found.anna[moment] = await hits(where.url, anna.needles, directory=directory)
        found.ben[moment] = await hits(where.url, ben.needles)
        chatwoot = repr(list(where.api.contacts(where.host).values())).lower()
        found.anna[moment]["Chatwoot"] += chatwoot.count(anna.mark)
        found.anna[moment] = +found.anna[moment]

    async with scene.running() as process:
        await publish_all(process.publisher, [*anna.told("one"), *ben.told("one")])
        await scene.caught_up()
    yesterday = await copy_database(url, f"{url.rpartition('/')[2]}_yesterday")
    unasked = await copy_database(url, f"{url.rpartition('/')[2]}_unasked")
    async with scene.running() as process:
        await publish_all(process.publisher, [*anna.told("since"), *ben.told("since")])
        await scene.caught_up()
    await scene.spool([*anna.told("spooled"), *ben.told("spooled")])
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

    try:
        restored = scene.on(yesterday)
        await restored.consume_all(privacy=True)
        await look("restored", restored)
        await scene.on(unasked).consume_all(blind=True)
        await look("unasked", scene.on(unasked))
    finally:
        for other in (yesterday, unasked):
            await drop_database(other)
    return found
