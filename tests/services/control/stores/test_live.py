"""`check --live` hears the webhook that Chatwoot sends, through the door and Kafka; and says where none comes."""

from pathlib import Path

import pytest

from local.chatwoot.app import serving as chatwoot_serving
from services.control.stores import live as module
from services.control.stores.declared import secrets_of_file
from services.control.stores.live import Heard, live
from services.control.stores.site import Failed, opened
from services.kernel import Settings
from tests.services.control.stores.chatwoots import chatwoot, file_of, told
from tests.services.control.stores.test_apply import quiet, some
from tests.services.ingress.bench import serving

pytestmark = pytest.mark.usefixtures("topics")


async def test_a_real_webhook_is_waited_for(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    double, entries = chatwoot(), some(3)
    _, deaf, absent = entries
    async with serving(settings) as (process, _), chatwoot_serving(double) as address:
        here = told(settings, public_url=process.address)
        path = file_of(tmp_path, entries, platform_token=double.state.platform_token, address=address)
        stores = secrets_of_file.chosen(path, ())
        async with opened(here) as site:
            await secrets_of_file.applied(site, stores[:2], quiet)
            account = next(one for one in double.state.accounts.values() if one.name == deaf)
            account.webhooks.clear()
            monkeypatch.setattr(module, "_PATIENCE_SECONDS", 5.0)
            answers = await live(site, stores)

    assert [type(one) for one in answers] == [Heard, Heard, Failed]
    assert isinstance(answers[0], Heard)
    assert answers[0].seconds is not None
    assert answers[1:] == [Heard(deaf, None), Failed(absent, "is not attached yet: run `wootstream stores apply`")]
    assert not any(double.state.contacts.values())
