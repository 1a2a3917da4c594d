"""Keys and passwords reach no store; what only sounds like one stays."""

from __future__ import annotations

import time
import warnings

import pytest

import tracknb
from tracknb.capture import secrets
from tracknb.capture.secrets import mask, masked

# Put together, so that no scanner of this repository takes them for keys.
OPENAI = "sk-" + "proj-4fR8kLm2Xq7Tz9Wb3Nc6Vd"
JWT = "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA " + "PRIVATE KEY-----"


@pytest.fixture(autouse=True)
def choice(monkeypatch):
    """What this process masks, as at its start; a warning for each thing that is masked."""
    monkeypatch.setattr(secrets, "_choice", secrets._Choice())
    secrets.is_secret_name.cache_clear()
    yield
    secrets.is_secret_name.cache_clear()


@pytest.mark.parametrize(
    ("source", "clean"),
    [
        ("api_key = 'abc'", "api_key = '***'"),
        ('token: str = "it\'s"', 'token: str = "***"'),
        ("db_pass='x'", "db_pass='***'"),
        ("secret = (\n    'abc')", "secret = (\n    '***')"),
        ("login(token='abc', lr=0.1)", "login(token='***', lr=0.1)"),
        ("{'password': 'abc'}", "{'password': '***'}"),
        ("os.environ['HF_TOKEN'] = 'abc'", "os.environ['HF_TOKEN'] = '***'"),
        ("os.environ.setdefault('HF_TOKEN', 'abc')", "os.environ.setdefault('HF_TOKEN', '***')"),
        ("tracknb.log_param('api_key', 'abc')", "tracknb.log_param('api_key', '***')"),
        ("user, pin, api_key = 'ada', 7, 'abc'", "user, pin, api_key = '***', 7, '***'"),
        ("api_key, user = 'abc', 'ada'", "api_key, user = '***', 'ada'"),
        ("config = \"password='abc'\"", "config = \"password='***'\""),
        ("def login(user, token='abc'): pass", "def login(user, token='***'): pass"),
        ("self.api_key = 'abc' + 'def'", "self.api_key = '***' + '***'"),
        ("API_KEYS = ['abc', 'def']", "API_KEYS = ['***', '***']"),
        ("api_keys = {'openai': 'abc'}", "api_keys = {'openai': '***'}"),
        ("key = os.getenv('API_KEY', 'abc')", "key = os.getenv('API_KEY', '***')"),
        ("password = getpass() or 'abc'", "password = getpass() or '***'"),
        ("password = 31415926", "password = '***'"),
        ("äöü = 1; clientSecret = b'abc'", "äöü = 1; clientSecret = '***'"),
        ("headers = {'Authorization': 'abc'}", "headers = {'Authorization': '***'}"),
        ("secret = '''a\nb'''", "secret = '***'"),
        ("wandb.login(key='abc', relogin=True)", "wandb.login(key='***', relogin=True)"),
        ("server.login('ada', 'abc')", "server.login('ada', '***')"),
        ("keyring.set_password('db', 'ada', 'abc')", "keyring.set_password('db', 'ada', '***')"),
        ("!curl -u ada:hunter2 https://host/x", "!curl -u ada:*** https://host/x"),
        ("%env MY_TOKEN=abc", "%env MY_TOKEN=***"),
        ("%env MY_TOKEN abc", "%env MY_TOKEN ***"),
        ("!upload --password abc data.csv", "!upload --password *** data.csv"),
        ("%%bash\nexport API_KEY=abc", "%%bash\nexport API_KEY=***"),
        ("%%writefile .env\nDB_PASSWORD=hunter2\nLR=0.1", "%%writefile .env\nDB_PASSWORD=***\nLR=0.1"),
        ("%%writefile a.yml\npassword: hunter2\nlr: 0.1", "%%writefile a.yml\npassword: ***\nlr: 0.1"),
        ('{"api_key": "abc", "lr": 0.1', '{"api_key": "***", "lr": 0.1'),
        ("ValueError: api_key='abc' is refused", "ValueError: api_key='***' is refused"),
        ("get https://host/v1?lr=1&api_key=abc failed", "get https://host/v1?lr=1&api_key=*** failed"),
        (f"x = '{OPENAI}'", "x = '***'"),
        ("x = 'sk-abcdefghijklmnopqrstuv'", "x = '***'"),
        ("x = 'ghp_" + "abcdefghijklmnopqrstuv'", "x = '***'"),
        ("x = 'glpat-" + "abcdefghij1234567890'", "x = '***'"),
        ("x = 'AKIA" + "ABCDEFGHIJKLMNOP'", "x = '***'"),
        ("x = 'AIza" + "SyA1234567890abcdefghijklmnopqrstuv'", "x = '***'"),
        ("x = 'hf_" + "abcdefghijABCDEFGHIJ1234'", "x = '***'"),
        ("x = 'xoxb-" + "1234567890-abcdef'", "x = '***'"),
        (f"x = '{JWT}'", "x = '***'"),
        (PEM, "***"),
        (PEM[:60], "***"),
        ("'Bearer abcdefghijklmnopqrst'", "'Bearer ***'"),
        ("'postgresql://adam:pw@host/db'", "'postgresql://adam:***@host/db'"),
        ("'https://ghtoken1234567890abcd@host/repo'", "'https://***@host/repo'"),
        ("'Server=db;Uid=ada;Password=pw12;'", "'Server=db;Uid=ada;Password=***;'"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*looks like a key")
def test_what_looks_like_a_key_is_masked(source, clean):
    assert mask(source) == clean
    assert mask(clean) == clean


@pytest.mark.parametrize(
    "source",
    [
        "lr = 0.1",
        "tokenizer = 'bert-base-uncased'",
        "AutoTokenizer.from_pretrained('gpt2', pad_token='<pad>', eos_token='</s>')",
        "if token == 'x': pass",
        "max_tokens = 512",
        "stop_tokens = ['</s>', 'END']",
        "special_tokens = {'sep': '[SEP]'}",
        "'https://example.org/a:b'",
        "token = get_token()",
        "api_key = os.environ['OPENAI_API_KEY']",
        "api_key_env = 'OPENAI_API_KEY'",
        "token_type = 'bpe'",
        "password_field = 'pw'",
        "primary_key = 'ride_id'; foreign_key = 'zone_id'; sort_key = 'fare'",
        "df.sort_values(key='fare')",
        "forward_pass = 'single'",
        "n_passes = 3; first_pass = 'coarse'",
        "model = 'sk-learn-random-forest-2'",
        "run = 'task-sk-1'",
        "secrets_path = '/run/secrets'",
        "print('no password')",
        "credentials = 'service-account.json'",
        "compass = 'north'; bypass = 'yes please'",
        "key = 'a'; keys = ['b']; keyboard = 'qwerty'",
        "monkey_key = 'banana'",
        "password = '<your password>'",
        "token = f'{prefix}'",
        "commit = 'f3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4'",
        "git clone git@github.com:ada/taxi.git",
        "for token in text.split(' '): pass",
        "secret_santa = 'Bob'",
        "note = 'token: gpt2-bpe'",
        "login(user)",
    ],
)
def test_ordinary_code_stays(source):
    assert mask(source) == source


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("api_key", "abc"),
        ("OPENAI_API_KEY", "abc"),
        ("apiKey", "abc"),
        ("x-api-key", "abc"),
        ("db.password", "hunter2"),
        ("password", "12345"),
        ("hf_token", "abc"),
        ("token", "tok1234"),
        ("use_auth_token", "abc"),
        ("aws_secret_access_key", "wJalrXUtnFEMI/K7MDENG"),
        ("client_secret", "abc"),
        ("credentials", "ada:abc"),
        ("smtp_pass", "abc"),
        ("url", "postgresql://ada:hunter2@host/taxi"),
        ("note", f"my key is {OPENAI}"),
        ("config", "{'lr': 0.1, 'api_key': 'abc'}"),
        ("command", "train.py --lr 0.1 API_KEY=abc123"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*looks like a key")
def test_a_value_that_looks_like_a_key_is_masked(key, value):
    assert "***" in masked("param", key, value)
    for part in ("abc", "hunter2", "12345", "tok1234", "wJalr", OPENAI[8:]):
        assert part not in masked("param", key, value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("token_count", "5"),
        ("max_tokens", "512"),
        ("tokens", "100000"),
        ("token", "5"),
        ("token", "word"),
        ("token", "byte-level"),
        ("pad_token", "<pad>"),
        ("mask_token", "[MASK]"),
        ("tokenizer", "bert-base-uncased"),
        ("token_embedding", "sinusoidal"),
        ("token_dropout", "0.1"),
        ("use_auth_token", "True"),
        ("api_key", "None"),
        ("api_key", ""),
        ("api_key", "${OPENAI_API_KEY}"),
        ("api_key_env", "OPENAI_API_KEY"),
        ("password_policy", "strict"),
        ("secret_rotation", "30d"),
        ("has_secret", "maybe"),
        ("num_secrets", "three"),
        ("credentials", "/home/ada/service-account.json"),
        ("key", "fare"),
        ("primary_key", "ride_id"),
        ("key_column", "ride_id"),
        ("sampling", "top-k"),
        ("pwd", "/home/ada/taxi"),
        ("compass", "north"),
        ("mlflow.source.git.commit", "f3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4"),
        ("mlflow.user", "ada"),
        ("run_id", "0123456789abcdef0123456789abcdef"),
        ("data", "s3://bucket/rides?version=3"),
        ("model", "sk-learn-random-forest-2"),
        ("author", "ada lovelace <ada@example.org>"),
        ("authors", "ada"),
        ("monkey", "banana1234"),
    ],
)
def test_a_value_that_only_sounds_like_one_stays(key, value):
    assert masked("param", key, value) == value


@pytest.mark.parametrize(
    "source",
    [
        "a." * 50_000,
        "a" * 100_000,
        "a-" * 50_000,
        "!" + "a_" * 20_000,
        "token=" * 10_000,
        "token='" * 10_000,
        "token=1a_" * 10_000,
        "sk-" * 30_000,
        "x = [" + "1," * 50_000 + "]; api_key='abc'",
    ],
)
@pytest.mark.filterwarnings("ignore:.*looks like a key")
def test_a_cell_full_of_data_takes_no_time(source):
    started = time.perf_counter()
    mask(source)
    assert time.perf_counter() - started < 2


@pytest.mark.filterwarnings("ignore:.*looks like a key")
def test_a_secret_that_was_seen_under_its_name_is_masked_wherever_it_turns_up():
    mask("password = 'correct-Horse-7'")

    assert mask("LoginError: 'correct-Horse-7' is refused") == "LoginError: '***' is refused"
    assert masked("param", "url", "host/correct-Horse-7/x") == "host/***/x"


@pytest.mark.filterwarnings("ignore:.*looks like a key")
def test_secrets_of_the_environment_are_masked_wherever_they_turn_up(monkeypatch):
    monkeypatch.setenv("TAXI_API_KEY", "tx99-plain-looking")
    assert mask("refused: tx99-plain-looking") == "refused: ***"

    monkeypatch.setenv("TAXI_API_KEY", "tx77-plain-looking")
    assert mask("refused: tx77-plain-looking") == "refused: ***"


@pytest.mark.filterwarnings("ignore:.*looks like a key")
def test_a_plain_word_is_not_looked_for_although_it_was_a_password():
    mask("password = 'postgres'")

    assert mask("backend = postgres") == "backend = postgres"


@pytest.mark.filterwarnings("ignore:.*looks like a key")
def test_a_bare_token_is_looked_for_only_if_it_can_be_no_word():
    mask("token = 'word-level-2'")

    assert masked("param", "cut", "word-level-2") == "word-level-2"


@pytest.mark.filterwarnings("ignore:.*looks like a key")
def test_patterns_are_added_by_a_call_or_the_environment(monkeypatch):
    tracknb.add_secret_pattern(r"acme-\d{4}")
    monkeypatch.setenv("TRACKNB_SECRET_PATTERNS", r"zeta-\d{4,6} badge_no")

    assert mask("x = 'acme-1234', 'zeta-123456'") == "x = '***', '***'"
    assert masked("param", "badge_no", "adas") == "***"


def test_a_pattern_that_is_none_is_refused_and_in_the_environment_passed_over(monkeypatch):
    with pytest.raises(ValueError, match="is no regular expression"):
        tracknb.add_secret_pattern("acme-[")
    with pytest.raises(ValueError, match="matches the empty text"):
        tracknb.add_secret_pattern("a*")
    monkeypatch.setenv("TRACKNB_SECRET_PATTERNS", "acme-[ zeta")
    with pytest.warns(RuntimeWarning, match=r"TRACKNB_SECRET_PATTERNS: 'acme-\[' is no regular expression"):
        assert mask("plain") == "plain"


def test_masking_is_switched_off_by_a_call_or_the_environment(monkeypatch):
    monkeypatch.setenv("TRACKNB_MASK_SECRETS", "0")
    assert mask("api_key = 'abc'") == "api_key = 'abc'"
    monkeypatch.delenv("TRACKNB_MASK_SECRETS")
    tracknb.set_secret_masking(False)
    assert masked("param", "api_key", "abc") == "abc"


@pytest.mark.filterwarnings("ignore:.*looks like a key")
def test_single_names_are_allowed():
    tracknb.set_secret_masking(allow=["session_token"])

    assert masked("param", "session_token", "abc123") == "abc123"
    assert masked("param", "api_key", "abc") == "***"


def test_what_was_masked_is_said_once(store):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            with tracknb.start_run():
                tracknb.log_param("api_key", "abc")
                tracknb.set_tag("lr", 0.1)

    # What other tests left open may warn at any time.
    [said] = [item for item in caught if item.category is RuntimeWarning]
    assert str(said.message).startswith(
        "The param 'api_key' holds what looks like a key or a password: it is stored as ***."
    )
    assert said.filename == __file__


def test_a_warning_that_is_an_error_breaks_no_call(store):
    with warnings.catch_warnings(), tracknb.start_run() as run:
        warnings.simplefilter("error")
        assert tracknb.log_param("api_key", "abc") == "abc"

    assert tracknb.get_run(run.info.run_id).data.params == {"api_key": "***"}


@pytest.mark.filterwarnings("ignore:.*looks like a key")
def test_a_long_text_is_gone_through_again_when_more_is_known():
    text = "refused: correct-Horse-7" + " and so on" * 100
    assert mask(text) == text

    mask("password = 'correct-Horse-7'")
    assert mask(text).startswith("refused: *** and")
    tracknb.add_secret_pattern("so on")
    assert mask(text).startswith("refused: *** and *** and ***")
    tracknb.set_secret_masking(allow=["password"])
    assert mask("password = 'a'" + " " * 600).startswith("password = 'a'")
