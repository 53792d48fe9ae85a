"""`people`: roles per store, tokens that are told once, and row security that decides what a person sees."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from db.pool import PEOPLE, Pool, open_pool, scoped_as_person
from services.control.people import membership
from services.control.people.membership import Role
from services.kernel import Refusal, Settings
from services.kernel.person_tokens import authenticate, hashed
from tests.services.attached import ACCOUNT_ID, attach
from tests.services.control.verbs import answer, call

_SEEN = "select organization_id from public.chatwoot_accounts"


def somebody() -> str:
    return f"{uuid.uuid4().hex[:12]}@Shop.example"


def slug(store: uuid.UUID) -> str:
    return f"shop-{store.hex[:12]}"


@pytest.fixture
async def people_pool(settings: Settings) -> AsyncIterator[Pool]:
    assert settings.database_url
    pool = open_pool(settings.database_url.get_secret_value(), PEOPLE)
    yield pool
    await pool.close()


async def token_of(pool: Pool, email: str, *, days: int = 1) -> str:
    until = datetime.now(UTC) + timedelta(days=days)
    return (await membership.add_token(pool, email, "laptop", scopes=["read"], expires_at=until))[1]


@pytest.mark.parametrize(("role", "sees"), [("owner", True), ("admin", True), ("manager", True), ("staff", False)])
async def test_person_sees_as_row_security_says_whatever_the_query_forgets(
    role: Role, sees: bool, pool: Pool, admin_pool: Pool, people_pool: Pool
) -> None:
    store, _other, email = await attach(admin_pool), await attach(admin_pool), somebody()
    await membership.add(pool, slug(store), email, role)
    person = await authenticate(pool, await token_of(pool, email.upper()))

    assert person is not None
    async with scoped_as_person(people_pool, person.id) as conn:
        assert [row["organization_id"] for row in await conn.fetch(_SEEN)] == [store] * sees
    async with people_pool.acquire() as conn:  # and nothing of it stays behind the transaction
        assert await conn.fetch(_SEEN) == []
    await membership.remove(pool, slug(store), email)
    async with scoped_as_person(people_pool, person.id) as conn:
        assert await conn.fetch(_SEEN) == []


async def test_token_is_good_until_it_is_revoked_or_its_time_is_over(pool: Pool, admin_pool: Pool) -> None:
    store, email = await attach(admin_pool), somebody()
    await membership.add(pool, slug(store), email, "staff")
    good, late = await token_of(pool, email), await token_of(pool, email, days=-1)
    known = {one.id: one for one in await membership.tokens(pool) if one.email == email}
    person = await authenticate(pool, good)

    assert person is not None
    assert (set(person.scopes), known[person.token].last_used_at) == ({"read"}, None)
    assert [await authenticate(pool, one) for one in (late, good + "x", "", "wst_" + "x" * 1000, "wst_\udcff")] == [
        None
    ] * 5
    assert next(one for one in await membership.tokens(pool) if one.id == person.token).last_used_at is not None
    assert [await membership.revoke_token(pool, person.token) for _ in range(2)] == [True, False]
    assert await authenticate(pool, good) is None
    async with admin_pool.acquire() as conn:
        held = await conn.fetchval("select token_sha256 from wootstream.api_tokens where id = $1", person.token)
    assert held == hashed(good)


@pytest.mark.usefixtures("installation")
async def test_people_are_added_listed_and_removed_by_the_verbs(admin_pool: Pool) -> None:
    name, email = slug(await attach(admin_pool)), somebody()

    done = [await answer("people", "add", name, email, "--role", role) for role in ("staff", "manager", "manager")]
    listed = await answer("people", "list", "--store", name)
    made = await answer("people", "token", "add", email, "--name", "script", "--scope", "read", "--scope", "personal")
    tokens = [one for one in await answer("people", "token", "list") if one["email"] == email]

    assert [one["changed"] for one in done] == [True, True, False]
    assert [(one["email"], one["store"], one["role"]) for one in listed] == [(email, name, "manager")]
    assert [(one["id"], one["scopes"]) for one in tokens] == [(made["id"], ["personal", "read"])]
    assert made["token"] not in (await call("people", "token", "list")).output + (await call("people", "list")).output
    assert (await answer("people", "token", "revoke", made["id"]))["revoked"]
    assert (await answer("people", "remove", name, email))["changed"]
    assert await answer("people", "list", "--store", name) == []


async def _kept(admin: Pool, email: str) -> tuple[int, int]:
    """Rows of auth.users, and tokens."""
    async with admin.acquire() as conn:
        people = [row["id"] for row in await conn.fetch("select id from auth.users where email = $1", email)]
        tokens = await conn.fetchval("select count(*) from wootstream.api_tokens where user_id = any ($1)", people)
    return len(people), tokens


@pytest.mark.usefixtures("installation")
async def test_who_leaves_the_last_store_leaves_their_address_and_tokens_too(admin_pool: Pool, pool: Pool) -> None:
    first, second, email = slug(await attach(admin_pool)), slug(await attach(admin_pool)), somebody()
    for name in (first, second):
        await membership.add(pool, name, email, "staff")
    await token_of(pool, email)

    assert "for 1 other stores" in (await answer("people", "remove", first, email))["stays"]
    assert await _kept(admin_pool, email) == (1, 1)
    assert (await answer("people", "remove", second, email))["forgotten"]
    assert await _kept(admin_pool, email) == (0, 0)


@pytest.mark.usefixtures("installation")
async def test_the_address_of_whom_a_store_knows_as_a_contact_stays_and_the_answer_says_so(
    admin_pool: Pool, pool: Pool
) -> None:
    store, other, email = await attach(admin_pool), await attach(admin_pool), somebody()
    await membership.add(pool, slug(store), email, "staff")
    async with admin_pool.acquire() as conn:
        await conn.execute(
            "insert into public.chatwoot_contacts (organization_id, chatwoot_account_id, chatwoot_contact_id, user_id)"
            " select $1, $2, 41, id from auth.users where email = $3", other, ACCOUNT_ID, email,
        )  # fmt: skip

    done = await answer("people", "remove", slug(store), email)

    assert (done["changed"], done["forgotten"]) == (True, False)
    assert "auth.users" in done["stays"]
    assert await _kept(admin_pool, email) == (1, 0)


@pytest.mark.usefixtures("installation")
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("add", "{store}", "jan@shop.example", "--role", "king"), "no role king"),
        (("add", "{store}", "jan", "--role", "staff"), "no e-mail address"),
        (("add", "nowhere", "jan@shop.example", "--role", "staff"), "no store 'nowhere'"),
        (("remove", "{store}", "nobody@shop.example"), "nobody here"),
        (("token", "add", "nobody@shop.example", "--name", "x"), "nobody here"),
        (("token", "add", "nobody@shop.example", "--name", "x", "--scope", "all"), "no scope all"),
        (("token", "revoke", str(uuid.UUID(int=1))), "no token"),
    ],
)
async def test_what_cannot_be_is_refused_with_a_sentence(
    arguments: tuple[str, ...], reason: str, admin_pool: Pool
) -> None:
    store = slug(await attach(admin_pool))
    with pytest.raises(Refusal, match=reason):
        await call("people", *(one.format(store=store) for one in arguments))
