"""A store's flood of messages forgets its own; what is remembered is bounded in number, size and time."""

import uuid

from services.ingress.doors.answer import TAKEN, DoorAnswer
from services.ingress.doors.repeats import Repeats, message_of
from services.kernel import Clock

_LARGE = DoorAnswer(200, b"x" * 100_000)


class Hand(Clock):
    """Turned by the test."""

    at = 0.0

    def monotonic(self) -> float:
        return self.at


def number(of: int) -> bytes:
    return of.to_bytes(16, "big")


def held(repeats: Repeats) -> int:
    return sum(len(messages) for messages in repeats._stores.values())


def test_a_message_is_its_id_with_its_body() -> None:
    assert message_of(b"msg_1", b"{}") == message_of(b"msg_1", b"{}")
    assert len({message_of(b"msg_1", b"{}"), message_of(b"msg_1", b"[]"), message_of(b"msg_2", b"{}")}) == 3


def test_an_answer_is_remembered_for_so_long_and_of_its_own_store() -> None:
    clock, mine, other = Hand(), uuid.uuid4(), uuid.uuid4()
    repeats = Repeats(clock, 600)
    repeats.remember(mine, number(1), TAKEN)

    assert (repeats.answered(mine, number(1)), repeats.answered(other, number(1))) == (TAKEN, None)
    clock.at = 600
    assert repeats.answered(mine, number(1)) is None


def test_a_flood_forgets_its_own_messages_and_nobody_elses() -> None:
    clock, honest, flood = Hand(), uuid.uuid4(), uuid.uuid4()
    repeats = Repeats(clock, 600)
    repeats.remember(honest, number(0), TAKEN)
    for one in range(50_000):
        repeats.remember(flood, number(one), TAKEN)

    assert repeats.answered(honest, number(0)) is TAKEN
    assert held(repeats) < 2_000


def test_many_stores_share_the_memory_and_what_is_old_or_large_takes_none() -> None:
    clock = Hand()
    repeats = Repeats(clock, 600)
    for one in range(200):
        store = uuid.uuid4()
        for message in range(1_100):
            repeats.remember(store, number(message), _LARGE if one % 2 else TAKEN)
    assert held(repeats) < 4 * 16_384
    clock.at = 601
    repeats.remember(uuid.uuid4(), number(0), TAKEN)
    assert held(repeats) == 1
