"""The outputs of a cell: which are kept, and where limits end it."""

from __future__ import annotations

from tracknb.capture.displays import Displays, Limits


def test_limits_hold_for_each_for_all_and_for_their_number():
    shown = Displays(Limits(each_bytes=100, all_bytes=250, outputs=5))
    for size in (90, 90, 200, 90, 10, 10):
        shown.add({"text/plain": "x" * size}, owner="a")
    shown.add({"text/plain": "x"}, owner="b")

    files, left_out = shown.files()

    assert {path: len(content) for path, content in files["a"].items()} == {
        "outputs/1.txt": 90,
        "outputs/2.txt": 90,
        "outputs/5.txt": 10,
    }
    assert left_out == {
        "a": "1 larger than 0.0001 MB, 1 beyond 0.00025 MB together, 1 after the first 5",
        "b": "1 after the first 5",
    }


def test_pictures_come_as_bytes_or_in_base64():
    shown = Displays()
    shown.add({"image/png": b"\x89PNG"}, owner="a")
    shown.add({"image/jpeg": "/9g="}, owner="b")

    assert shown.files() == ({"a": {"outputs/1.png": b"\x89PNG"}, "b": {"outputs/1.jpg": b"\xff\xd8"}}, {})


def test_an_output_that_is_not_what_it_says_costs_no_other():
    circle = {}
    circle["again"] = circle
    shown = Displays()
    for data in ({"image/png": "abc"}, {"application/json": circle}, {"image/png": 3.5}, {"text/plain": "kept"}):
        shown.add(data, owner="a")

    assert shown.files() == ({"a": {"outputs/4.txt": b"kept"}}, {"a": "3 not readable as what it claims to be"})


def test_an_update_takes_the_place_of_its_display_and_of_no_other():
    shown = Displays()
    shown.add({"text/plain": "1"}, owner="a", display_id="x")
    shown.add({"text/plain": "2"}, owner="a")
    shown.add({"text/plain": "3"}, owner="a", display_id="x", update=True)
    shown.add({"text/plain": "4"}, owner="a", display_id="of another cell", update=True)

    assert shown.files({"a": 7})[0] == {"a": {"outputs/8.txt": b"3", "outputs/9.txt": b"2"}}
