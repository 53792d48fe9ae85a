"""No name has two meanings, and no room is too full to look through, but for those that local/house.py justifies."""

from local import house


def test_no_name_has_two_meanings_and_no_room_is_too_full() -> None:
    assert house.unjustified() == [], "rename one, or say in local/house.py why they are one idea"


def test_every_reason_still_has_its_names() -> None:
    assert house.idle_reasons() == [], "local/house.py justifies what is no homonym any more: take the line out"


def test_two_classes_of_one_name_are_found_and_a_constant_is_none() -> None:
    assert "Key" in house.class_homonyms(), "the columns that name a row, in several modules of tables"
    assert not any(name.isupper() for name in house.class_homonyms())
