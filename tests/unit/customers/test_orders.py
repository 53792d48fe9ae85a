"""An order follows from the set of its facts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.customers.orders import CANCELLED, PAID, PLACED, REFUNDED, OrderFact, order

_NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def _fact(kind: str, *, minute: int = 0, amount: int | None = None, event: str = "", customer: str = "c1") -> OrderFact:
    return OrderFact(
        kind, _NOON + timedelta(minutes=minute), event or f"{kind}{minute}", customer, amount, "EUR" if amount else None
    )


_FACTS = st.lists(
    st.builds(
        _fact,
        st.sampled_from((PLACED, PAID, REFUNDED, CANCELLED)),
        minute=st.integers(0, 3),
        amount=st.none() | st.integers(1, 9_999),
        event=st.uuids().map(str),
        customer=st.sampled_from(("c1", "c2")),
    ),
    min_size=1,
    max_size=8,
)


@given(facts=_FACTS, chance=st.randoms(use_true_random=False))
def test_any_order_of_arrival_gives_the_same_order(facts: list[OrderFact], chance: object) -> None:
    shuffled = list(facts)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert order(shuffled) == order(facts)


def test_of_number_address_and_categories_the_newest_word_counts() -> None:
    placed = replace(_fact(PLACED, amount=100), order_number="1", order_url="https://x.example/1", categories=("beds",))
    paid = replace(_fact(PAID, minute=5), order_number="1-b", categories=())
    seen = order([paid, placed])
    assert (seen.order_number, seen.order_url, seen.categories) == ("1-b", "https://x.example/1", ())


def test_refunds_add_up_and_never_exceed_the_price() -> None:
    facts = [
        _fact(PLACED, amount=10_000),
        _fact(REFUNDED, minute=5, amount=4_000),
        _fact(REFUNDED, minute=6, amount=3_000),
    ]
    assert order(facts).refunded_minor == 7_000
    assert order([*facts, _fact(REFUNDED, minute=7, amount=9_000)]).refunded_minor == 10_000


def test_a_refund_without_an_amount_returns_everything() -> None:
    assert order([_fact(PLACED, amount=10_000), _fact(REFUNDED, minute=5)]).refunded_minor == 10_000


def test_a_payment_seen_before_its_order_names_the_price_until_the_order_arrives() -> None:
    paid = _fact(PAID, minute=5, amount=9_900)
    assert order([paid]).total_minor == 9_900
    assert order([paid, _fact(PLACED, amount=10_000)]).total_minor == 10_000


def test_the_newest_fact_says_whose_order_it_is() -> None:
    assert order([_fact(PAID, minute=5, customer="c2"), _fact(PLACED)]).customer_id == "c2"
