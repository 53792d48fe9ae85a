"""`stores set`: one thing of a store is changed, written down, and nothing else is."""

import pytest

from db.pool import Pool
from services.control.stores import attach
from services.kernel import Refusal, Settings
from tests.services.control.stores.test_attach import row, shop
from tests.services.control.verbs import answer, call, noted

_CHANGED = {"seal", "seal_version", "updated_at"}


async def test_a_store_is_sealed_and_unsealed_by_a_word(installation: Settings, admin_pool: Pool) -> None:
    store = shop()
    added = await attach.add(installation, store)
    before = await row(admin_pool, store.slug)

    outcomes = [
        (await answer("stores", "set", store.slug, "seal", word))["outcome"] for word in ("true", "true", "false")
    ]

    after = await row(admin_pool, store.slug)
    assert outcomes == ["changed", "unchanged", "changed"]
    assert {name for name in after if after[name] != before[name]} == _CHANGED - {"seal"}
    assert (await noted(admin_pool, added.organization_id)).count("stores set") == 2


@pytest.mark.usefixtures("installation")
async def test_only_what_can_be_set_is_set() -> None:
    for name, value in (("push", "live"), ("seal", "yes")):
        with pytest.raises(Refusal, match="true or false"):
            await call("stores", "set", "nobody", name, value)
    with pytest.raises(Refusal):
        await call("stores", "set", "nobody", "seal", "true")
