"""What a browser lets a store's page send, and read of the answer: whatever a door says of it, the page hears."""

from typing import Any

import httpx
import orjson
import pytest

from db.pool import Pool
from services.ingress.acceptance import Acceptance, NoRoom, TooLarge
from services.kernel import Settings
from services.kernel.publishing.verdicts import NeverTaken
from tests.services.ingress.bench import ORIGIN, open_shop, serving
from tests.services.ingress.page import Page

pytestmark = pytest.mark.usefixtures("topics")


def readable(answer: httpx.Response) -> bool:
    """By the page, in whichever way it asked: sendBeacon alone always sends with credentials."""
    given = answer.headers
    return (
        given.get_list("access-control-allow-origin") == [ORIGIN]
        and given.get_list("access-control-allow-credentials") == ["true"]
        and given.get_list("access-control-expose-headers") == ["retry-after"]
        and given.get_list("vary") == ["origin"]
    )


async def test_a_page_reads_each_refusal_of_its_doors_and_when_to_come_again(page: Page) -> None:
    await page.visitor.arrive()
    ours = {"origin": ORIGIN}
    config = f"/widget/{page.shop.website_token}"
    answers = {
        400: await page.client.post("/beacons", content=b"{", headers=ours | {"content-type": "text/plain"}),
        401: await page.client.post("/beacons", json={"token": "x", "consent": [], "events": [{}]}, headers=ours),
        403: await page.visitor.report(page.visitor.event("page_viewed"), consent=()),
        404: await page.client.get(f"{config}/nothing", headers=ours),
        405: await page.client.put(f"{config}/config", headers=ours),
        413: await page.client.post("/beacons", content=b" " * 70_000, headers=ours | {"content-type": "text/plain"}),
        415: await page.client.post("/beacons", content=b"{}", headers=ours | {"content-type": "image/png"}),
    }

    assert {status: answer.status_code for status, answer in answers.items()} == {status: status for status in answers}
    assert {status for status, answer in answers.items() if not readable(answer)} == set()
    unknown = await page.client.get("/widget/nobody-knows-it/config", headers=ours)
    assert (unknown.status_code, readable(unknown)) == (404, True)


@pytest.mark.parametrize(
    ("fault", "status", "wait"),
    [(NoRoom("full"), 503, "5"), (NeverTaken("no"), 503, None), (TooLarge(), 413, None), (KeyError("bug"), 500, None)],
)
async def test_a_page_reads_that_what_it_told_could_not_be_kept(
    settings: Settings,
    admin_pool: Pool,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
    status: int,
    wait: str | None,
) -> None:
    def broken(*_: Any) -> None:
        raise fault

    async def away(*_: Any) -> None:
        raise fault

    shop = await open_shop(admin_pool, settings)
    async with serving(settings) as (_, client):
        page = Page(settings, shop, client)
        await page.visitor.arrive()
        monkeypatch.setattr(Acceptance, "offered", broken)
        monkeypatch.setattr(Acceptance, "keep", away)
        answer = await page.visitor.report(page.visitor.event("page_viewed"))

    assert (answer.status_code, answer.headers.get("retry-after"), readable(answer)) == (status, wait, True)


async def test_a_page_may_ask_its_configuration_and_report_in_the_type_of_json(page: Page) -> None:
    """`sendBeacon` of a Blob of application/json, and a page's fetch wrapper that names a type for each GET."""
    await page.visitor.arrive()
    for path, method in (("/beacons", "POST"), (f"/widget/{page.shop.website_token}/config", "GET")):
        asked = {"access-control-request-method": method, "access-control-request-headers": "content-type"}
        answer = await page.client.options(path, headers=asked | {"origin": ORIGIN})
        foreign = await page.client.options(path, headers=asked | {"origin": "https://evil.example"})

        assert (answer.status_code, readable(answer)) == (204, True), path
        assert answer.headers["access-control-allow-methods"] == method
        assert answer.headers["access-control-allow-headers"] == "content-type"
        assert (foreign.status_code, "access-control-allow-origin" in foreign.headers) == (403, False)


async def test_what_a_page_reports_in_a_body_without_a_type_is_kept(page: Page) -> None:
    """`sendBeacon` of `new Blob([body])`, or of bytes: browsers then name none."""
    await page.visitor.arrive()
    event = page.visitor.event("page_viewed")
    body = orjson.dumps({"token": page.visitor.config["token"], "consent": ["analytics"], "events": [event]})

    answer = await page.client.post("/beacons", content=body, headers={"origin": ORIGIN})

    assert (answer.status_code, [one["id"] for one in await page.events()]) == (204, [event["id"]])


async def test_what_a_page_reports_whose_origin_its_browser_withholds_is_kept(page: Page) -> None:
    """Firefox, of a page whose Referrer-Policy is no-referrer or same-origin: its sendBeacon bears `Origin: null`."""
    await page.visitor.arrive()
    hidden = page.of("null")
    hidden.config = page.visitor.config
    event = page.visitor.event("page_viewed")

    answer = await hidden.report(event)
    partly = await hidden.report(page.visitor.event("widget_opened"), {})

    assert (answer.status_code, partly.status_code) == (204, 200)
    assert not {"access-control-allow-origin"} & {*answer.headers, *partly.headers}
    assert event["id"] in [one["id"] for one in await page.events()]


async def test_a_token_alone_stands_for_a_page_whose_origin_is_withheld(page: Page) -> None:
    hidden = page.of("null")
    hidden.config = {"token": "x"}

    assert (await hidden.arrive()).status_code == 403
    assert (await hidden.report(page.visitor.event("page_viewed"))).status_code == 401
    assert await page.events() == []
