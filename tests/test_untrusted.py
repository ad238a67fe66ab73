"""Values of JSON from outside: what they are taken for, and what is refused."""

from typing import Any

import pytest

from reloc.untrusted import check_modest, integer, items, number, parsed_json, printable, text


@pytest.mark.parametrize(
    "content",
    ["NaN", "[Infinity]", "-1e999", '{"a": 1, "a": 1}', "[" * 100_000, "", "[1,]", "1" * 10_000],
)
def test_what_is_no_strict_json_is_refused(content):
    with pytest.raises(ValueError) as caught:
        parsed_json(content)
    assert "\n" not in str(caught.value)


def test_strict_json_is_read():
    assert parsed_json('{"a": [1, 2.5, null, true, "é"]}') == {"a": [1, 2.5, None, True, "é"]}


@pytest.mark.parametrize("value", [True, 1.0, "1", None, -1, 6, [1]])
def test_whole_numbers_are_nothing_else(value):
    assert integer(3, "size", most=5) == 3
    with pytest.raises(ValueError, match="impossible size"):
        integer(value, "size", most=5)


@pytest.mark.parametrize("value", [True, "1", None, float("nan"), 10**400, -0.1, 5.1])
def test_numbers_are_nothing_else(value):
    assert number(3, "size", least=0, most=5) == 3.0
    with pytest.raises(ValueError, match="impossible size"):
        number(value, "size", least=0, most=5)


@pytest.mark.parametrize("value", [7, None, "a\n", "\x9b", "\u2028", "\ud800", "x" * 5000])
def test_texts_are_one_line(value):
    assert text("/caf\udce9 日本.jpg", "name")
    with pytest.raises(ValueError, match="impossible name"):
        text(value, "name")


def test_lists_have_an_end():
    assert items([1, 2], "list", most=2) == [1, 2]
    value: object
    for value in ([1, 2, 3], (1,), "ab", {}):
        with pytest.raises(ValueError, match="impossible list"):
            items(value, "list", most=2)


def test_what_is_only_shown_is_small():
    check_modest({"a": [1, 2.5, None, True, "x" * 80]}, "info", most=100)
    deep: list[Any] = [[]]
    for _ in range(40):
        deep = [deep]
    for value in (deep, ["x" * 101], [0] * 101, ["ab"] * 50, {"a\n": 1}, {"a": 2**70}):
        with pytest.raises(ValueError, match="impossible info"):
            check_modest(value, "info", most=100)


def test_what_is_written_is_made_printable():
    made = printable({"a\n": ("\x1b[0m", 1, None, ["\ud800"])})
    assert made == {"a\ufffd": ["\ufffd[0m", 1, None, ["\ufffd"]]}
