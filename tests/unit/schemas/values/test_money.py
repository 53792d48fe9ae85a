"""Money is written as the specification writes it."""

import pytest

from schemas.values.money import amounts, digits, written


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (245_000, "EUR", "€2,450.00"),
        (5, "EUR", "€0.05"),
        (-12_50, "EUR", "-€12.50"),
        (245_000, "JPY", "¥245,000"),
        (1_234_567, "KWD", "KWD 1,234.567"),
        (99_90, "CHF", "CHF 99.90"),
    ],
)
def test_minor_units_are_written_with_the_currencys_decimals(minor: int, currency: str, text: str) -> None:
    assert written(minor, currency) == text


def test_several_currencies_stand_side_by_side_with_the_stores_own_first() -> None:
    assert amounts({"CHF": 100, "GBP": 3_000, "EUR": 245_000}, "EUR") == "€2,450.00 + CHF 1.00 + £30.00"


def test_nothing_spent_is_zero_of_the_stores_currency() -> None:
    assert amounts({}, "EUR") == "€0.00"


def test_every_currency_has_as_many_decimals_as_iso_4217_gives_it() -> None:
    """By its list one: who sends whole shillings is not shown a hundredth of them."""
    none = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split()
    three, four = "BHD IQD JOD KWD LYD OMR TND".split(), "CLF UYW".split()
    two = "AED ARS AUD BRL CHF CNY CZK DKK EGP EUR GBP HUF IDR INR KES MGA MRU MXN NOK PLN SEK TRY TWD USD ZAR".split()
    for decimals, currencies in ((0, none), (2, two), (3, three), (4, four)):
        assert [one for one in currencies if digits(one) != decimals] == []
    assert written(50_000, "UGX") == "UGX 50,000"
