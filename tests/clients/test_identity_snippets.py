"""The programs of docs/identity.md do what they say, in the interpreters that are at hand."""

import hmac
import re
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import orjson
import pytest
import pytest_asyncio

from db.pool import Pool
from services.kernel import Settings
from tests.clients.clients import Absent, run, tool
from tests.services.ingress.bench import EVENT_SECRET, ORIGIN, Shop, serving
from tests.services.ingress.doors.test_identity import IDENTITY_KEY, open_known_shop

_PAGE = (Path(__file__).parents[2] / "docs" / "identity.md").read_text()
_CUSTOMER = "c 17/é+&"
# Fence → how the program is started.
PROGRAMS: dict[str, Callable[[], str]] = {
    "python": lambda: sys.executable,
    "php": lambda: tool("php", "php-cli"),
    "javascript": lambda: tool("node", "nodejs"),
    "ruby": lambda: tool("ruby", "ruby"),
}
# Shopify's own filters, and a theme's page for a customer who is logged in.
_THEME = """
require "json"; require "openssl"
module Shopify
  def hmac_sha256(text, key) = OpenSSL::HMAC.hexdigest("SHA256", key, text)
  def json(text) = JSON.generate(text)
end
Liquid::Template.register_filter(Shopify)
ours = { "wootstream" => { "identity_key" => ARGV[2] } }
page = { "customer" => { "id" => ARGV[1].to_i }, "shop" => { "metafields" => ours } }
puts Liquid::Template.parse(File.read(ARGV[0]), error_mode: :strict).render!(page)
"""


def snippet(fence: str) -> str:
    [found] = re.findall(rf"^```{fence}\n(.*?)^```$", _PAGE, re.DOTALL | re.MULTILINE)
    return str(found)


def identity_of(customer: str) -> dict[str, str]:
    digest = hmac.new(IDENTITY_KEY.encode(), customer.encode(), "sha256").hexdigest()
    return {"identifier": customer, "identifier_hash": digest}


@pytest_asyncio.fixture(scope="module")
async def known(settings: Settings, admin_pool: Pool) -> AsyncIterator[tuple[httpx.AsyncClient, Shop]]:
    shop = await open_known_shop(admin_pool, settings)
    async with serving(settings, kafka=False) as (_, client):
        yield client, shop


@pytest.mark.parametrize("fence", PROGRAMS)
async def test_program_says_who_the_customer_is_and_vouches(
    fence: str, known: tuple[httpx.AsyncClient, Shop], tmp_path: Path
) -> None:
    try:
        command = PROGRAMS[fence]()
    except Absent as absent:
        pytest.skip(str(absent))
    client, shop = known
    program = tmp_path / "program"
    program.write_text(snippet(fence))
    # A store without a vouching secret vouches with its event secret.
    given = {"WOOTSTREAM_URL": str(client.base_url).rstrip("/"), "STORE": shop.slug, "EVENT_SECRET": EVENT_SECRET}
    words = [f"{name}={value}" for name, value in (given | {"VOUCHING_SECRET": EVENT_SECRET}).items()]

    told = orjson.loads(await run("env", *words, command, str(program), _CUSTOMER))

    assert told["identity"] == identity_of(_CUSTOMER)
    page = await client.get(f"/widget/{shop.website_token}/config", params=told["vouched"], headers={"origin": ORIGIN})
    assert page.json()["customer"] == _CUSTOMER


async def test_theme_makes_the_hash_by_itself(tmp_path: Path) -> None:
    theme, program = tmp_path / "theme.liquid", tmp_path / "theme.rb"
    theme.write_text(snippet("liquid"))
    program.write_text(_THEME)
    try:
        ruby = tool("ruby", "ruby")
        await has_liquid(ruby)
    except Absent as absent:
        pytest.skip(str(absent))

    told = orjson.loads(await run(ruby, "-rliquid", str(program), str(theme), "17", IDENTITY_KEY))

    assert told == identity_of("17")


async def has_liquid(ruby: str) -> None:
    """Raises Absent."""
    try:
        await run(ruby, "-rliquid", "-e", "")
    except AssertionError as error:
        raise Absent("no Liquid (Debian: ruby-liquid)") from error
