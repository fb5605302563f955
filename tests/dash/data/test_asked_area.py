"""The area that an address asks for, and what a page says where it cannot be shown."""

import pytest

from co2_dash.data.asked_area import AskedArea, asked_area, asked_area_in


@pytest.mark.parametrize(
    ("address", "name", "in_address"),
    [
        (None, "DK", False),
        ("", "DK", False),
        ("?hours=72", "DK", False),
        ("?area=", "DK", False),
        ("?area=DK", "DK", True),
        ("?area=DK1&hours=72", "DK1", True),
        ("?area=dk2", "DK2", True),
        ("?price_area=dK1", "DK1", True),
        ("?area=DK1&price_area=dk1&area=DK1", "DK1", True),
    ],
)
def test_an_address_names_an_area_by_either_name_and_in_any_case(
    address: str | None, name: str, in_address: bool
) -> None:
    assert asked_area_in(address) == AskedArea(name, in_address)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("?area=SE3", "no such area"),
        ("?price_area=%3Cb%3E", "no such area"),
        ("?area=DK1&area=DK2", "more than one area"),
        ("?area=DK1&price_area=DK", "more than one area"),
        ("?area=DK1&price_area=SE3", "more than one area"),
    ],
)
def test_what_cannot_be_shown_is_said_with_the_areas_there_are(address: str, words: str) -> None:
    asked = asked_area_in(address)
    assert (asked.name, asked.in_address) == ("DK", True)
    assert words in asked.fault
    assert "There are DK, DK1, DK2; these are the numbers of Denmark." in asked.fault


def test_the_layout_and_the_parts_of_a_page_read_the_same() -> None:
    # A layout is given what Dash makes of the query: a list where a name is given twice.
    assert asked_area({"area": ["DK1", "DK2"], "hours": "72"}) == asked_area_in("?area=DK1&area=DK2&hours=72")
    assert asked_area({"area": "dk1"}) == asked_area_in("?area=dk1")
