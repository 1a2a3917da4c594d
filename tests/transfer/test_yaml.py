"""``meta.yaml`` as PyYAML writes it, which is how MLflow writes it."""

from __future__ import annotations

import random

import pytest
import yaml

from tracknb.transfer.yaml import read_flat

# What makes PyYAML choose another way to write a text, or fold it elsewhere.
_PIECES = [
    *("word ", " ", "'", '"', "\\", "\n", "\n\n", "\t", "# ", ": ", "- ", "é", "\U0001f600", "\x85", "\u2028", "\x07"),
    *("{", "]", "null", "3", "1e5", "true", "&a", "*", "!", "%", "@", "`", "|", ">", "\r", "\ufeff", "\xa0", "\u2029"),
    *("long words " * 9, "x" * 90),
]


@pytest.mark.parametrize("allow_unicode", [True, False])
@pytest.mark.parametrize("dumper", [yaml.SafeDumper, yaml.CSafeDumper])
def test_texts_come_back_however_they_were_written(dumper: type, allow_unicode: bool) -> None:
    chance = random.Random(7)
    for _ in range(5_000):
        texts = {f"key_{place}": "".join(chance.choices(_PIECES, k=chance.randrange(6))) for place in range(3)}
        written = {**texts, "status": 3, "end_time": None, "tags": []}
        text = yaml.dump(written, Dumper=dumper, default_flow_style=False, allow_unicode=allow_unicode, sort_keys=True)

        # Python's own dumper leaves U+0085 bare, which is lost on every reader of YAML.
        wanted = yaml.safe_load(text)
        assert dumper is yaml.SafeDumper or wanted == written
        assert read_flat(text) == {key: value for key, value in wanted.items() if key != "tags"}, text


def test_lists_below_a_key_are_passed_over() -> None:
    """Very old runs have their tags in the file."""
    text = "name: a\ntags:\n- key: x\n  value: 'a: b'\nstatus: 1\n"

    assert {key: value for key, value in read_flat(text).items() if value is not None} == {"name": "a", "status": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: 'open\nstatus: 3\n", "the quote in line 1 has no end"),
        ("a: 1\nwhat is this\n", "line 2 is not 'key: value'"),
        ("\0\0\0", "line 1 is not 'key: value'"),
    ],
)
def test_what_is_no_mapping_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_flat(text)

    assert str(caught.value) == message
