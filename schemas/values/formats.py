"""How a store's money, days and numbers are written, each chosen by an example of it."""

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

MoneyExample = Literal["€2,450.00", "€ 2.450,00", "2.450,00 €", "2 450,00 €"]
DateExample = Literal["2024-01-15", "15-01-2024", "15.01.2024", "15/01/2024", "01/15/2024"]
NumberExample = Literal["4.5", "4,5"]


class MoneyForm(NamedTuple):
    """Separators, and where the sign of the currency stands; `space` is between it and the number."""

    thousands: str
    decimals: str
    is_first: bool
    space: str


MONEY: dict[str, MoneyForm] = {
    "€2,450.00": MoneyForm(",", ".", True, ""),
    "€ 2.450,00": MoneyForm(".", ",", True, " "),
    "2.450,00 €": MoneyForm(".", ",", False, " "),
    "2 450,00 €": MoneyForm("\u00a0", ",", False, " "),  # a space at which no line breaks
}
SPECIFIED = MONEY["€2,450.00"]
DATES: dict[str, str] = {
    "2024-01-15": "%Y-%m-%d",
    "15-01-2024": "%d-%m-%Y",
    "15.01.2024": "%d.%m.%Y",
    "15/01/2024": "%d/%m/%Y",
    "01/15/2024": "%m/%d/%Y",
}


class Formats(BaseModel):
    """By default as the specification writes them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Described by Field, as every process reads this: to find docstrings of attributes, pydantic looks through the
    # files of all modules, a fifteenth of a start.
    money: MoneyExample = Field(
        "€2,450.00", description="also of other currencies, each with its own sign and decimals"
    )
    date: DateExample = Field(
        "2024-01-15",
        description="Chatwoot's attributes of the type date want the first, and show it as each agent's browser does",
    )
    number: NumberExample = Field(
        "4.5",
        description='of numbers with a decimal; "4,5" is sent as text, by which Chatwoot\'s filters cannot compare',
    )


AS_SPECIFIED = Formats()
