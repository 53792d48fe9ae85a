"""`wootstream privacy …` as an operator types it."""

import os
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from db.pool import scoped
from db.privacy import requests
from services.kernel import Refusal, Settings, Stop
from services.kernel.secrets import Secrets, load_secrets
from services.privacy.asking import Asked
from services.privacy.who import meant
from tests.services.attached import authorize
from tests.services.control.conftest import point_at
from tests.services.control.verbs import answer, call, noted
from tests.services.privacy.conftest import KnownShop


@pytest.fixture(autouse=True)
def _here(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    point_at(settings, monkeypatch)


async def test_who_somebody_is_is_shown_and_that_somebody_looked_is_written_down(shop: KnownShop) -> None:
    await shop.customer("c1", email="anna@x.example")
    slug = f"shop-{shop.store.hex[:12]}"
    assert (await answer("privacy", "find", slug, "c1"))["email"] == ["anna@x.example"]
    assert (await answer("privacy", "erase", slug, "c1", "--dry-run"))["customer"] == ["c1"]
    assert "nobody is known" not in (await call("privacy", "find", slug, "c1")).stdout
    assert await noted(shop.admin, shop.store) == ["privacy find", "privacy find"]


@pytest.mark.usefixtures("topics")
async def test_an_erasure_that_waits_says_for_what_and_is_listed(shop: KnownShop) -> None:
    await shop.customer("c1", email="anna@x.example")
    slug = f"shop-{shop.store.hex[:12]}"
    result = await call("privacy", "erase", slug, "c1")
    assert result.exit_code == 1
    assert "chatwoot: this store has no API token" in result.stdout
    (row,) = await answer("privacy", "requests", slug)
    assert (row["state"], row["kind"]) == ("running", "erasure")
    assert "published" in row["steps"]
    assert "running" in (await call("privacy", "requests", slug)).stdout
    assert (await answer("privacy", "find", slug, "anna@x.example"))["customer"] == []


@pytest.mark.usefixtures("topics")
async def test_what_is_open_is_listed_of_every_store_where_none_is_named(shop: KnownShop) -> None:
    """An alert that an erasure waits names no store."""
    await shop.customer("c1", email="anna@x.example")
    slug = f"shop-{shop.store.hex[:12]}"
    await call("privacy", "erase", slug, "c1")
    listed = [(row["store"], row["state"]) for row in await answer("privacy", "requests")]
    assert listed.count((slug, "running")) == 1
    assert slug in (await call("privacy", "requests")).stdout


async def test_a_hold_refuses_an_erasure_until_it_is_lifted(shop: KnownShop) -> None:
    await shop.customer("c1")
    slug = f"shop-{shop.store.hex[:12]}"
    assert "a lawsuit" in (await call("privacy", "hold", slug, "c1", "--reason", "a lawsuit")).stdout
    with pytest.raises(Refusal, match="a lawsuit"):
        await call("privacy", "erase", slug, "c1", "--dry-run")
    await call("privacy", "hold", slug, "c1", "--lift")
    await call("privacy", "erase", slug, "c1", "--dry-run")


async def test_what_cannot_be_done_is_refused_in_a_sentence(shop: KnownShop) -> None:
    slug = f"shop-{shop.store.hex[:12]}"
    for words in (
        ("erase", slug, "c1", "--in-chatwoot", "burn"), ("hold", slug, "c1"), ("record", "--format", "pdf"),
        ("find", "no-such-store", "c1"),
    ):  # fmt: skip
        with pytest.raises(Refusal):
            await call("privacy", *words)


async def test_the_record_of_processing_and_an_export_are_printed_and_written(shop: KnownShop, tmp_path: Path) -> None:
    await shop.customer("c1", email="anna@x.example")
    assert "| wootstream.customers | email |" in (await call("privacy", "record")).stdout
    assert "wootstream.customers,email," in (await call("privacy", "record", "--format", "csv")).stdout
    to = tmp_path / "c1.zip"
    slug = f"shop-{shop.store.hex[:12]}"
    assert (await answer("privacy", "export", slug, "c1", "--to", str(to)))["rows"] == {"wootstream.customers": 1}
    assert to.exists()
    assert await noted(shop.admin, shop.store) == ["privacy export"]
    nobody = await call("privacy", "export", slug, "c-1", "--to", str(tmp_path / "nobody.zip"))
    assert "nothing is held of anybody by that name" in nobody.stdout


async def test_an_export_without_a_file_is_a_request_that_is_fetched_or_refused(
    shop: KnownShop, tmp_path: Path
) -> None:
    await shop.customer("c1", email="anna@x.example")
    slug, to = f"shop-{shop.store.hex[:12]}", tmp_path / "c1.zip"
    first = (await answer("privacy", "export", slug, "c1"))["request"]
    second = (await answer("privacy", "export", slug, "c1"))["request"]
    assert await answer("privacy", "fetch", slug, first, "--to", str(to)) == {"file": str(to), "made_anew": True}
    assert to.exists()
    await call("privacy", "refuse", slug, second, "--reason", "somebody else")
    with pytest.raises(Refusal, match="refused already"):
        await call("privacy", "fetch", slug, second, "--to", str(tmp_path / "no.zip"))
    states = {row["id"]: row["state"] for row in await answer("privacy", "requests", slug)}
    assert states == {first: "done", second: "refused"}
    assert await noted(shop.admin, shop.store) == ["privacy export"] * 2 + ["privacy fetch", "privacy refuse"]


async def test_nobody_is_erased_with_a_key_whose_hashes_no_service_would_find(
    shop: KnownShop, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As from a machine that has no installation key, where one would be made silently."""
    await authorize(shop.admin, shop.store, load_secrets(settings))
    await shop.customer("c1", email="anna@x.example")
    slug = f"shop-{shop.store.hex[:12]}"
    monkeypatch.setenv("WOOTSTREAM_DATA_DIRECTORY", str(tmp_path / "of a laptop"))

    for verb in (("privacy", "erase", slug, "c1"), ("privacy", "hold", slug, "c1", "--reason", "a lawsuit"),
                 ("privacy", "replay"), ("consent", "withdraw", slug, "c1", "analytics")):  # fmt: skip
        with pytest.raises(Stop, match="WOOTSTREAM_INSTALLATION_KEY_FILE"):
            await call(*verb)

    assert (await shop.find("c1")).customers == {"c1"}
    assert (await answer("privacy", "requests", slug)) == []


async def test_a_request_whose_key_is_not_here_is_refused_with_the_cure(shop: KnownShop, tmp_path: Path) -> None:
    """It does not come by itself, however often the same is said again."""
    slug, request, now = f"shop-{shop.store.hex[:12]}", uuid4(), datetime.now(UTC)
    subject = Asked((meant("c1"),)).sealed(Secrets(os.urandom(32)), shop.store)
    async with scoped(shop.pool, {shop.store}) as conn:
        await requests.add(conn, shop.store, request, kind="access", source="verb", asked_at=now, deadline=now,
                           subject=subject)  # fmt: skip
    with pytest.raises(Refusal, match=r"sealed it.*keys list.*privacy refuse"):
        await call("privacy", "fetch", slug, str(request), "--to", str(tmp_path / "c1.zip"))
    await call("privacy", "refuse", slug, str(request), "--reason", "its key is lost")
