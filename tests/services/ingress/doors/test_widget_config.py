"""What a page asks for: only what the shop vouched for is in its token."""

from datetime import UTC, datetime, timedelta

import pytest

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
