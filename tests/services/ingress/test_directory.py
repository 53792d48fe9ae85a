"""The stores that the doors know: also without PostgreSQL, and as soon as there is a new one."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from db.pool import Pool
from services.kernel import Settings
from tests.services.ingress.bench import open_shop, post_webhook, serving

pytestmark = pytest.mark.usefixtures("topics")
_BODY = b'{"event":"message_created","id":9,"account":{"id":3},"conversation":{"id":7}}'


def now() -> datetime:
    return datetime.now(UTC)


async def test_doors_open_while_postgresql_and_kafka_are_away(
    settings: Settings, admin_pool: Pool, tmp_path: Path
) -> None:
    """Stores come from the sealed copy; without Kafka the record goes to the spool or the sender is asked back."""
    shop = await open_shop(admin_pool, settings)
    here = settings.model_copy(update={"data_directory": tmp_path, "installation_key_file": _key(settings)})
    async with serving(here) as (_, client):
        assert (await post_webhook(client, shop, _BODY, at=now())).status_code == 204
    nowhere = Settings.model_validate(
        here.model_dump() | {"database_url": "postgresql://x@127.0.0.1:1/x", "kafka_bootstrap_servers": "127.0.0.1:1"}
    )

    async with serving(nowhere, kafka=False) as (_, client):
        genuine = await post_webhook(client, shop, _BODY, at=now())
        forged = await post_webhook(client, shop, _BODY, at=now(), secret="wrong")

    assert genuine.status_code in (204, 503)
    assert forged.status_code == 401
    kept = (tmp_path / "ingress" / "stores.sealed").read_text()
    assert shop.slug not in kept
    assert shop.secret not in kept


def _key(settings: Settings) -> Path:
    return settings.data_directory / "installation.key"
