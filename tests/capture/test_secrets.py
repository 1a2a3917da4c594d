"""Keys in a cell's source reach no store; what only sounds like one stays."""

from __future__ import annotations

import time

import pytest

from tracknb.capture.secrets import mask


@pytest.mark.parametrize(
    ("source", "masked"),
    [
        ("api_key = 'abc'", "api_key = '***'"),
        ('token: str = "it\'s"', 'token: str = "***"'),
        ("db_pass='x'", "db_pass='***'"),
        ("secret = (\n    'abc')", "secret = (\n    '***')"),
        ("login(token='abc', lr=0.1)", "login(token='***', lr=0.1)"),
        ("{'password': 'abc'}", "{'password': '***'}"),
        ("os.environ['HF_TOKEN'] = 'abc'", "os.environ['HF_TOKEN'] = '***'"),
        ("%env MY_TOKEN=abc", "%env MY_TOKEN=***"),
        ("!upload --password abc data.csv", "!upload --password *** data.csv"),
        ("x = 'sk-abcdefghijklmnopqrstuv'", "x = '***'"),
        ("x = 'ghp_abcdefghijklmnopqrstuv'", "x = '***'"),
        ("x = 'AKIAABCDEFGHIJKLMNOP'", "x = '***'"),
        ("'Bearer abcdefghijklmnopqrst'", "'Bearer ***'"),
        ("'postgresql://adam:pw@host/db'", "'postgresql://adam:***@host/db'"),
    ],
)
def test_what_looks_like_a_key_is_masked(source, masked):
    assert mask(source) == masked


@pytest.mark.parametrize(
    "source",
    [
        "lr = 0.1",
        "tokenizer = 'bert-base-uncased'",
        "AutoTokenizer.from_pretrained('gpt2', pad_token='<pad>')",
        "if token == 'x': pass",
        "max_tokens = 512",
        "'https://example.org/a:b'",
        "token = get_token()",
    ],
)
def test_ordinary_code_stays(source):
    assert mask(source) == source


@pytest.mark.parametrize("source", ["a." * 50_000, "a" * 100_000, "!" + "a_" * 2_000, "token=" * 10_000])
def test_a_cell_full_of_data_takes_no_time(source):
    started = time.perf_counter()
    mask(source)
    assert time.perf_counter() - started < 2
