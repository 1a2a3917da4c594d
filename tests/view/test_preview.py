"""What a page is shown of a file."""

from __future__ import annotations

import io
import json
import re
import resource
import sys
import time

import pytest

from tracknb.view.preview import preview_of


def shown(path, data, size=None):
    return preview_of(path, data, len(data) if size is None else size)


def test_a_picture_travels_as_bytes():
    found = shown("a/b.PNG", b"\x89PNG")
    assert (found.content, found.data) == ({"kind": "image", "mime": "image/png"}, b"\x89PNG")


def test_half_a_picture_is_none():
    found = shown("a.png", b"\x89PNG", 5_000_000)
    assert found.content["kind"] == "none"
    assert "5,000,000 bytes" in found.content["note"]


def test_text_is_cut_between_letters():
    whole = "ä€" * 10
    data = whole.encode()[:-1]
    found = shown("notes.txt", data, 1_000)
    assert found.content == {"kind": "text", "text": whole[:-1], "cut": True}


@pytest.mark.parametrize("name", ["model.pkl", "x.bin", "noname"])
def test_bytes_are_not_opened(name):
    assert shown(name, b"\x80\x04\x95\x00\x00cos\nsystem").content["kind"] == "none"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", b"x,y\n1,2\n3,4\n"),
        ("a.tsv", b"x\ty\n1\t2\n3\t4"),
        ("a.csv", b"\xef\xbb\xbfx;y\r\n1;2\r\n\r\n3;4\r\n"),
    ],
)
def test_separated_values_are_a_table(name, data):
    content = shown(name, data).content
    assert (content["head"], content["rows"], content["total"]) == (["x", "y"], [["1", "2"], ["3", "4"]], 2)


def test_a_long_or_wide_table_shows_its_beginning():
    line = ",".join(str(number) for number in range(500))
    content = shown("a.csv", "\n".join([line] * 1_001).encode()).content
    assert (len(content["head"]), len(content["rows"]), content["total"], content["columns"]) == (60, 100, 1_000, 500)
    assert shown("a.csv", b"x\n1\n2", 10**9).content["total"] is None


def test_json_is_set_out_and_a_logged_table_is_a_table():
    assert (
        shown("a.json", b'{"a":[1,2.50],"b":"\xc3\xa4"}').content["text"]
        == '{\n  "a": [\n    1,\n    2.5\n  ],\n  "b": "ä"\n}'
    )
    table = shown("t.json", json.dumps({"columns": ["a", "b"], "data": [[1, None], [[2], "x"]]}).encode()).content
    assert (table["kind"], table["rows"]) == ("table", [["1", ""], ["[2]", "x"]])
    assert shown("a.json", b"{not json").content["kind"] == "text"
    assert shown("a.json", b"[" * 100_000).content["kind"] == "text"


def test_brackets_within_brackets_do_not_become_a_gigabyte_of_spaces():
    data = b"[" * 500 + b"1," * 400_000 + b"1" + b"]" * 500

    assert shown("deep.json", data).content == {"kind": "text", "text": data.decode(), "cut": False}


def test_a_notebook_shows_its_cells():
    notebook = {
        "cells": [
            {"cell_type": "markdown", "source": ["# A\n", "b"]},
            {"cell_type": "code", "source": "1/0", "outputs": [
                {"output_type": "stream", "text": ["hi\n"]},
                {"output_type": "display_data", "data": {"text/html": "<b>x</b>", "text/plain": "x"}},
                {"output_type": "error", "ename": "ZeroDivisionError", "evalue": "division by zero"},
            ]},
        ]
    }  # fmt: skip
    content = shown("n.ipynb", json.dumps(notebook).encode()).content
    assert content["cells"] == [
        {"type": "markdown", "source": "# A\nb", "output": ""},
        {"type": "code", "source": "1/0", "output": "hi\nx\nZeroDivisionError: division by zero"},
    ]
    for strange in ({"cells": 3}, {"cells": [3]}, [], {"cells": [{"outputs": [3]}]}):
        assert shown("n.ipynb", json.dumps(strange).encode()).content["kind"] == "text"


def test_html_travels_as_text():
    content = shown("r.html", b"<script>alert(1)</script>").content
    assert content == {"kind": "html", "text": "<script>alert(1)</script>", "cut": False}


def test_parquet_needs_pyarrow_and_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    note = shown("a.parquet", b"PAR1....PAR1").content["note"]
    assert note == 'Previews of Parquet need pyarrow: pip install "pyarrow".'


def test_what_is_no_parquet_file_is_said_to_be_none():
    pytest.importorskip("pyarrow")
    assert re.fullmatch(r"This Parquet file cannot be read: \w+\.", shown("a.parquet", b"PAR1....PAR1").content["note"])


def parquet(columns, **how):
    """The bytes of a Parquet file; its tests are passed over where pyarrow is not installed."""
    arrow = pytest.importorskip("pyarrow")
    writer = pytest.importorskip("pyarrow.parquet")
    buffer = io.BytesIO()
    writer.write_table(arrow.table(columns), buffer, **how)
    return buffer.getvalue()


def test_the_beginning_of_a_parquet_file_is_a_table():
    columns = {
        "km": [number / 2 for number in range(1_000)],
        "who": ["ä", None] * 500,
        "path": [[1, 2]] * 1_000,
    }
    content = shown("a.parquet", parquet(columns)).content
    assert (content["kind"], content["head"], content["total"]) == ("table", ["km", "who", "path"], 1_000)
    assert (len(content["rows"]), content["rows"][:2]) == (100, [["0.0", "ä", "[1, 2]"], ["0.5", "", "[1, 2]"]])
    assert shown("a.parquet", parquet({f"c{n}": [n] for n in range(70)})).content["columns"] == 70
    assert shown("a.parquet", parquet({"empty": []})).content["rows"] == []


def test_a_parquet_file_that_says_that_it_unpacks_to_much_is_not_unpacked():
    numpy = pytest.importorskip("numpy")
    data = parquet({"zero": numpy.zeros(9_000_000)}, use_dictionary=False, compression="zstd", row_group_size=9_000_000)
    assert len(data) < 1_000_000

    content = shown("bomb.parquet", data).content
    assert content["kind"] == "none"
    assert re.fullmatch(
        r"This file unpacks to 72,\d{3},\d{3} bytes at least; previews end at 64,000,000.", content["note"]
    )


def test_a_parquet_file_that_says_nothing_of_what_it_unpacks_to_costs_another_process():
    """One cell of a hundred million times nothing: runs of equal values take no room in the file."""
    arrow = pytest.importorskip("pyarrow")
    cell = arrow.ListArray.from_arrays([0, 100_000_000], arrow.nulls(100_000_000, arrow.int8()))
    data = parquet({"many": cell})
    assert len(data) < 100_000
    del cell
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    began = time.monotonic()
    content = shown("bomb.parquet", data).content
    assert content["kind"] == "none"
    assert re.search("too much memory|too long", content["note"])
    assert time.monotonic() - began < 15
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_a_python_that_cannot_be_started_again_shows_no_parquet_and_says_so(monkeypatch, tmp_path):
    data = parquet({"km": [1]})
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    assert shown("a.parquet", data).content == {
        "kind": "none",
        "note": "No process could be started to read this Parquet file: No such file or directory.",
    }


def test_json_that_indents_to_hundreds_of_megabytes_stays_as_it_is():
    data = b"[" * 200 + b"1," * 100_000 + b"1" + b"]" * 200
    assert shown("bomb.json", data).content == {"kind": "text", "text": data.decode(), "cut": False}


def test_half_a_letter_in_a_notebook_can_travel():
    cells = [{"cell_type": "\ud800", "source": "\ud800", "outputs": [{"text": "\ud800"}]}]
    found = shown("odd.ipynb", json.dumps({"cells": cells}).encode())
    assert found.content["cells"] == [{"type": "?", "source": "?", "output": "?"}]
