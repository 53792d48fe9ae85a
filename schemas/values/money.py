"""Money: whole minor units and an ISO 4217 currency, never a float; written as people read it."""

from schemas.values.formats import SPECIFIED, MoneyForm

# ISO 4217 minor units other than two: every currency that is money somewhere, funds' codes among them.
_DIGITS = {
    "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0,
    "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
    "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3, "CLF": 4, "UYW": 4,
}  # fmt: skip
_SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "INR": "₹"}


def digits(currency: str) -> int:
    """How many decimals a currency has: 2 for the euro, 0 for the yen."""
    return _DIGITS.get(currency, 2)


def written(minor: int, currency: str, form: MoneyForm = SPECIFIED) -> str:
    """As specified: 245000 EUR is "€2,450.00"; a currency without a well-known sign is "CHF 2,450.00"."""
    places = digits(currency)
    whole, rest = divmod(abs(minor), 10**places)
    number = f"{whole:,}".replace(",", form.thousands) + (f"{form.decimals}{rest:0{places}d}" if places else "")
    sign, minus = _SYMBOLS.get(currency), "-" if minor < 0 else ""
    if form.is_first:
        return f"{minus}{sign + form.space if sign else currency + ' '}{number}"
    return f"{minus}{number}{form.space}{sign or currency}"


def amounts(by_currency: dict[str, int], first: str, form: MoneyForm = SPECIFIED) -> str:
    """Several currencies side by side, the store's own first: "€2,450.00 + £30.00". Nothing is converted."""
    order = sorted(by_currency, key=lambda currency: (currency != first, currency))
    return " + ".join(written(by_currency[one], one, form) for one in order) or written(0, first, form)
