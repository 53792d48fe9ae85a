"""The example with curl works as written."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

import demo
from db.pool import Pool
from services.kernel import Settings
from tests.services.ingress.bench import EVENT_SECRET, ORIGIN, open_shop, serving

_SCRIPT = Path(demo.__file__).parent / "doors.sh"
_ABSENT = [name for name in ("curl", "openssl", "base64", "od") if not shutil.which(name)]


@pytest.mark.usefixtures("topics")
@pytest.mark.skipif(bool(_ABSENT), reason=f"not installed: {', '.join(_ABSENT)}")
async def test_each_door_takes_what_curl_sends(settings: Settings, admin_pool: Pool) -> None:
    shop = await open_shop(admin_pool, settings)

    async with serving(settings) as (process, _):
        environment = {
            "ADDRESS": process.address,
            "STORE": shop.slug,
            "SECRET": shop.secret,
            "EVENT_SECRET": EVENT_SECRET,
            "ACCOUNT": str(shop.account_id),
            "WEBSITE_TOKEN": shop.website_token,
            "ORIGIN": ORIGIN,
        }
        script = await asyncio.create_subprocess_exec(
            "sh", str(_SCRIPT), stdout=asyncio.subprocess.PIPE, env=os.environ | environment
        )
        answered, _none = await script.communicate()

    assert answered.split() == [b"204"] * 3
