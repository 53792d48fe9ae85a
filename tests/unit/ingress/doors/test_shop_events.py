"""An array's elements are the bytes that stood there, whatever they are."""

import pytest

from services.ingress.doors.shop_events import elements


@pytest.mark.parametrize(
    "inner",
    [
        [b"1"],
        [b'{"a":[1,{"b":"],"}]}', b"[]", b'"\\"]"'],
        [b'"\xff"', b'"\x01"', rb'"\ud83d"', b"1e400", b"9" * 10_000, b"NaN", b"-Infinity", b"1.000"],
    ],
)
@pytest.mark.parametrize("form", [b"[%b]", b"\r\n [\t%b \n] "])
def test_each_element_is_cut_out_as_it_is(inner: list[bytes], form: bytes) -> None:
    assert elements(form % b" ,\n".join(inner), 1_000) == inner


def test_an_array_of_nothing_holds_nothing() -> None:
    assert elements(b" [ ] ", 1) == []


def test_no_more_are_cut_than_are_asked_for() -> None:
    assert elements(b"[" + b"0," * 10**6 + b"0]", 2) == [b"0"] * 3


@pytest.mark.parametrize(
    "text",
    [b"", b"{}", b"[", b"[1", b"[1,", b"[1,]", b"[,1]", b"[1 2]", b"[1]]", b"[1]x", b"[tru]", b'["a]', b"\xff[]"],
)
def test_what_is_no_array_is_none(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        elements(text, 1_000)
