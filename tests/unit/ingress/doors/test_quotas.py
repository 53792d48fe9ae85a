"""Quotas: a network's before a session's, each store's its own; a flood of names costs nobody who was there before."""

import uuid
from typing import Any

import pytest

from services.ingress.doors.quotas import Quotas
from services.kernel import Clock, Settings

_STORE, _OTHER = uuid.uuid4(), uuid.uuid4()


class Minutes(Clock):
    """A clock that a test sets."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Minutes:
    return Minutes()


def quotas(clock: Clock, **limits: Any) -> Quotas:
    return Quotas(clock, Settings(**limits))


def held(of: Quotas) -> int:
    stores = [*of._used.values(), *of._before.values()]
    return sum(len(names) for one in stores for names in (one.networks, one.sessions, one.pages))


def test_a_sessions_count_is_its_own_and_begins_anew_with_the_minute(clock: Minutes) -> None:
    ours = quotas(clock, beacons_per_minute=10)

    first = [ours.take_beacons(_STORE, "n", name, count) for name, count in (("a", 6), ("a", 6), ("a", 4), ("b", 10))]
    clock.seconds = 60.0

    assert first == [True, False, True, True]
    assert ours.take_beacons(_STORE, "n", "a", 10)


def test_a_networks_sessions_share_its_count_and_what_is_refused_uses_nothing_up(clock: Minutes) -> None:
    ours = quotas(clock, beacons_per_minute=10, beacons_per_minute_network=25)
    refused = [ours.take_beacons(_STORE, "n", "a", 100) for _ in range(50)]

    taken = [ours.take_beacons(_STORE, "n", name, 10) for name in "abcd"]

    assert not any(refused)
    assert taken == [True, True, False, False]
    assert ours.take_beacons(_STORE, "n", "d", 5)
    assert ours.take_beacons(_STORE, "m", "d", 5)


def test_one_stores_flood_uses_up_no_other_stores_share(clock: Minutes) -> None:
    ours = quotas(clock, beacons_per_minute_store=1_000, configs_per_minute_network=10)
    flood = [ours.take_beacons(_STORE, f"n{one}", f"s{one}", 1) for one in range(5_000)]
    pages = [ours.take_page(_STORE, "n") for _ in range(20)]

    assert (sum(flood), sum(pages)) == (500, 10)
    assert ours.take_beacons(_OTHER, "n1", "s1", 100)
    assert ours.take_page(_OTHER, "n")
    assert ours.take_page(_STORE, "m")


def test_who_was_there_before_a_flood_of_names_is_served_in_it(clock: Minutes) -> None:
    ours = quotas(clock, beacons_per_minute=10, beacons_per_minute_store=100_000)
    for one in range(100):
        assert ours.take_beacons(_STORE, f"honest{one}", f"honest{one}", 1)
    clock.seconds = 60.0
    flood = sum(ours.take_beacons(_STORE, f"n{one}", f"s{one}", 1) for one in range(100_000))

    honest = [[ours.take_beacons(_STORE, f"honest{one}", f"honest{one}", 6) for _ in range(2)] for one in range(100)]

    assert flood == 50_000
    assert honest == [[True, False]] * 100


def test_a_new_visitor_in_a_flood_of_sessions_goes_by_the_network(clock: Minutes) -> None:
    ours = quotas(clock, beacons_per_minute=10, beacons_per_minute_network=6_000)
    for one in range(5_000):
        assert ours.take_beacons(_STORE, "n", f"s{one}", 1)

    taken = [ours.take_beacons(_STORE, "n", "late", 10) for _ in range(200)]

    assert sum(taken) == 100


def test_memory_is_bounded_whoever_comes(clock: Minutes) -> None:
    ours = quotas(clock, beacons_per_minute_store=10**9)
    stores = [uuid.uuid4() for _ in range(100)]
    for minute in range(2):
        clock.seconds = 60.0 * minute
        for store in stores:
            for one in range(1_500):
                ours.take_beacons(store, f"n{one}", f"s{one}", 1)

    assert 100_000 < held(ours) <= 2 * 100_000
