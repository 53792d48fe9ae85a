"""The examples with curl work as they are written: in the README, and in the script that it names."""

import asyncio
import os
import re
import shutil
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from db.pool import Pool
from local import demo
from services.kernel import Settings
from tests.services.ingress.bench import EVENT_SECRET, ORIGIN, open_shop, serving

_SCRIPT = Path(demo.__file__).parent / "doors.sh"
_README = _SCRIPT.parents[2] / "README.md"
_EXAMPLE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ABSENT = [name for name in ("curl", "openssl", "base64", "od") if not shutil.which(name)]
pytestmark = [
    pytest.mark.usefixtures("topics"),
    pytest.mark.skipif(bool(_ABSENT), reason=f"not installed: {', '.join(_ABSENT)}"),
]


def readme() -> str:
    """Every example below the README's heading of the doors."""
    section = _README.read_text().partition("\n## The three doors by hand\n")[2].partition("\n## ")[0]
    return "".join(_EXAMPLE.findall(section))


@pytest.mark.parametrize("script", [readme(), _SCRIPT.read_text()], ids=["README.md", "doors.sh"])
async def test_each_door_takes_what_curl_sends(settings: Settings, admin_pool: Pool, script: str) -> None:
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
        shell = await asyncio.create_subprocess_exec("sh", "-euc", script, stdout=PIPE, env=os.environ | environment)
        answered, _none = await shell.communicate()

    posts = len(re.findall(r"^(?:curl -i|status) ", script, re.MULTILINE))
    assert posts > 0
    assert re.findall(rb"^(?:HTTP/1.1 )?(\d{3})\b", answered, re.MULTILINE) == [b"204"] * posts
