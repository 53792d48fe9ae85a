"""What a page asks for: only what the shop vouched for is in its token."""

from datetime import UTC, datetime, timedelta

import pytest

from db.pool import Pool
from services.kernel import Settings
from tests.services.ingress.bench import ORIGIN, open_shop, serving
from tests.services.ingress.page import Page

pytestmark = pytest.mark.usefixtures("topics")


@pytest.mark.parametrize(
    "change",
    [{"customer": "c2"}, {"proof": "0" * 64}, {"expires": "99"}, {"expires": "9999999999"}, {"expires": "²"}],
)
async def test_a_page_that_changes_what_the_shop_vouched_for_gets_no_token(page: Page, change: dict[str, str]) -> None:
    vouched = page.backend.vouch("c1", expires=datetime.now(UTC) + timedelta(hours=1))

    answer = await page.visitor.arrive(vouched | change)

    assert answer.status_code == 403
    assert await page.refused("not_vouched")


@pytest.mark.parametrize(
    ("said", "shown", "launcher"),
    [
        ("nl-NL", "nl_NL", "Chat met"),
        ("de_at", "de_AT", "Chat mit"),
        ("pt_BR", "pt_BR", "Chat with"),
        ("fr", "fr", "Chat"),
    ],
)
async def test_a_widget_speaks_the_stores_language_however_its_operator_wrote_it(
    said: str, shown: str, launcher: str, settings: Settings, admin_pool: Pool
) -> None:
    """Chatwoot's widget knows pt_BR, and takes any other form for none (seen with 4.13.0)."""
    shop = await open_shop(admin_pool, settings, locale=said)
    async with serving(settings) as (_, client):
        widget = (await Page(settings, shop, client).visitor.arrive()).json()["widget"]

    assert (widget["locale"], widget["launcherTitle"].startswith(launcher)) == (shown, True)


@pytest.mark.parametrize(
    ("query", "cure"),
    [("session=visitor-1", "session is 16 to 64 letters"), ("customer=%ff", "UTF-8 in percent codes")],
)
async def test_a_page_that_asks_in_another_form_is_told_which_and_nothing_of_a_body(
    page: Page, query: str, cure: str
) -> None:
    path = f"/widget/{page.shop.website_token}/config?{query}"
    answer = await page.client.get(path, headers={"origin": ORIGIN})
    assert (answer.status_code, cure in answer.json()["error"]) == (400, True), answer.text
