"""Keys and passwords, told from ordinary text and masked before anything is stored.

Two things give a secret away: the name that it goes by (``api_key = ...``), and its own
shape (``sk-...``). What was seen under such a name, in the environment too, is masked
wherever it turns up again, as in a traceback. A name that only tells *about* keys
(``max_tokens``, ``api_key_env``) and a value that can be none (a number, a placeholder) stay.

``masked`` is for what is logged under a key, ``mask`` for code and running text. Both are
called by ``validation``, which everything passes on its way to a store.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sys
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from tracknb.capture import literals

MASK: Final = "***"

# -- names --------------------------------------------------------------------------------


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LONGEST_NAME: Final = 100
# Passwords may be numbers; what the other names hold is none if it is one.
_PASSWORDS: Final = ("password", "passwd", "passphrase", "passcode")
_WHOLE: Final = _words(
    """
    secret secrets credential credentials creds authorization bearer jwt apikey apikeys apisecret apitoken accesskey
    accesstoken authkey authtoken bottoken clientsecret privatekey refreshtoken secretkey sessiontoken
    """
)
_KEY_OF: Final = _words(
    """
    access account admin api app auth aws azure client consumer cohere decryption deploy encryption fernet gemini
    gcp github gitlab groq hmac kaggle license master mistral neptune openai anthropic private rsa secret service
    shared signing ssh storage stripe subscription wandb webhook
    """
)
_TOKENS_OF: Final = _words("access api auth bearer bot csrf hf id oauth personal refresh session")
# Tokens of a language model's text, not of a login.
_TEXT_TOKEN: Final = _words(
    """
    additional audio begin bos cls control current decoder end eos extra first generated image input last mask new
    next output pad padding per prefix prev previous prompt sep source special start stop sub suffix target trigger
    unk unknown video word
    """
)
_PASS_OF: Final = _words(
    """
    account admin api auth broker db docker email es ftp http https imap ldap login mail mongo my mysql pg postgres
    proxy rabbit redis registry root service smtp sql ssh sudo user vpn wifi
    """
)
# A name with one of these behind its secret word tells about a secret, and holds none.
_ABOUT: Final = _words(
    """
    accuracy acc budget class classes classification col cols column columns cost count counts delimiter dim dims
    dir dropout emb embed embedding embeddings enabled endpoint env environ expiration expires expiry f1 field
    fields file filename filepath filter folder format header host id ids idx index kind label labels latency len
    length level limit limits location loss manager map mask max method min mode model ms name names num number
    overlap path paths pattern penalty per policy pos position positions price prob probability probs provider
    pruning rate ratio reduction regex required rotation rounds santa schema scope scopes score scores sec seconds
    sep separator set size speed stats strategy strength style throughput timeout ttl type types uri url usage var
    variable version vocab vocabulary weight weights window
    """
)
_COUNTED: Final = _words("avg count has is len max mean min missing n nb no num number per total")
# The working directory, whatever it sounds like.
_PLAIN_VARIABLES: Final = frozenset({"PWD", "OLDPWD"})


@functools.lru_cache(maxsize=20_000)
def is_secret_name(name: str) -> bool:
    """Tell whether what goes by this name is to be taken for a key or a password.

    Examples
    --------
    >>> is_secret_name("OPENAI_API_KEY"), is_secret_name("max_tokens"), is_secret_name("api_key_env")
    (True, False, False)
    """
    if len(name) > _LONGEST_NAME or name in _choice.allowed:
        return False
    if any(pattern.fullmatch(name) for pattern in _choice.patterns):
        return True
    words = [word.lower() for word in _WORDS.findall(name)]
    for place, word in enumerate(words):
        before = words[place - 1] if place else ""
        if not _is_secret_word(word, before, is_last=place == len(words) - 1):
            continue
        if not _ABOUT.intersection(words[place + 1 :]) and not _COUNTED.intersection(words[:place]):
            return True
    return False


def _is_secret_word(word: str, before: str, *, is_last: bool) -> bool:
    if word in _WHOLE or word.endswith(_PASSWORDS):
        return True
    if word in ("key", "keys"):
        return before in _KEY_OF
    if word == "token":
        return before not in _TEXT_TOKEN
    if word == "tokens":
        return before in _TOKENS_OF
    return word in ("pass", "pwd", "pw") and is_last and (not before or before in _PASS_OF)


# -- values -------------------------------------------------------------------------------

_NUMBER: Final = re.compile(r"[-+]?[\d_]*\.?\d+(?:[eE][-+]?\d+)?\Z")
_SAYS_NOTHING: Final = frozenset({"", MASK, "none", "null", "true", "false", "yes", "no", "nan", "auto", "default"})
# `<your key>`, `${KEY}`, `$KEY`, `{key}`, `%(key)s`.
_PLACEHOLDER: Final = re.compile(r"<[^<>]*>\Z|\$?\{[^{}]*\}\Z|\$\w+\Z|%\(\w+\)s\Z|\*+\Z|x{3,}\Z|\.{3}\Z")
_FILE: Final = re.compile(r"(?:[~.]{0,2}|[A-Za-z]:)[\w./\\ \-]*\.(?:json|ya?ml|txt|pem|key|env|cfg|ini|toml|p12|crt)\Z")
_FOLDER: Final = re.compile(r"(?:[~.]{0,2}/|[A-Za-z]:\\)[\w./\\ \-]*\Z")
_PLAIN_WORDS: Final = re.compile(r"[a-z]+(?:[-_ ][a-z]+)*\Z")


def _can_be_secret(name: str, value: str) -> bool:
    """Tell whether a text can be the secret that its name promises."""
    text = value.strip()
    if text.lower() in _SAYS_NOTHING or _PLACEHOLDER.match(text):
        return False
    words = [word.lower() for word in _WORDS.findall(name)]
    is_password = any(word.endswith(_PASSWORDS) for word in words)
    if _NUMBER.match(text):
        return is_password and len(text) >= 4
    return is_password or not (_FILE.match(text) or (words[-1:] == ["pwd"] and _FOLDER.match(text)))


# What makes a value worth looking for in other texts: a short or plain word would hit too much.
_SHORTEST_KNOWN: Final = 8
_MOST_KNOWN: Final = 500
_SHORTEST_TOKEN: Final = 16
_LONG: Final = 500
_MOST_HELD: Final = 20


def _is_telling(value: str) -> bool:
    if not _SHORTEST_KNOWN <= len(value) <= 10_000 or _NUMBER.match(value) or _FILE.match(value):
        return False
    if _FOLDER.match(value):
        return False
    return not re.fullmatch(r"[a-z_\-. ]+|[A-Z_]+|[A-Z]?[a-z]+", value) or (value.isalpha() and len(value) >= 16)


# -- shapes -------------------------------------------------------------------------------


def _sk(found: re.Match[str]) -> str:
    # `sk-learn-random-forest` is nobody's key: words of one case, versions of few digits.
    plain = all(re.fullmatch(r"[A-Za-z]?[a-z]{0,14}\d{0,3}", part) for part in re.split(r"[-_]", found[0]))
    return found[0] if plain else MASK


# Keys whatever they are called: a text that each of them holds, so that most are not searched for, and the key.
_SHAPES: Final = (
    ("gh", re.compile(r"\bgh[pousr]_[A-Za-z0-9]{20,}")),
    ("github_pat_", re.compile(r"\bgithub_pat_[A-Za-z0-9_]{20,}")),
    ("glpat-", re.compile(r"\bglpat-[A-Za-z0-9_\-]{20,}")),
    ("AKIA", re.compile(r"\bAKIA[A-Z0-9]{16}\b")),
    ("ASIA", re.compile(r"\bASIA[A-Z0-9]{16}\b")),
    ("AIza", re.compile(r"\bAIza[A-Za-z0-9_\-]{35}")),
    ("ya29.", re.compile(r"\bya29\.[A-Za-z0-9_\-]{20,}")),
    ("hf_", re.compile(r"\bhf_[A-Za-z0-9]{20,}")),
    ("xox", re.compile(r"\bxox[abeprs]-[A-Za-z0-9\-]{10,}")),
    ("hooks.slack.com", re.compile(r"(?<=hooks\.slack\.com/services/)[A-Za-z0-9/]{20,}")),
    ("_live_", re.compile(r"\b[rsp]k_live_[A-Za-z0-9]{16,}")),
    ("k_test_", re.compile(r"\b[rs]k_test_[A-Za-z0-9]{16,}")),
    ("SG.", re.compile(r"\bSG\.[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{16,}")),
    ("npm_", re.compile(r"\bnpm_[A-Za-z0-9]{36}")),
    ("pypi-", re.compile(r"\bpypi-[A-Za-z0-9_\-]{50,}")),
    ("dapi", re.compile(r"\bdapi[0-9a-f]{32}\b")),
    ("gsk_", re.compile(r"\bgsk_[A-Za-z0-9]{20,}")),
    ("r8_", re.compile(r"\br8_[A-Za-z0-9]{30,}")),
    ("nvapi-", re.compile(r"\bnvapi-[A-Za-z0-9_\-]{20,}")),
    ("eyJ", re.compile(r"\beyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]*")),
    ("earer ", re.compile(r"(?<=\b[Bb]earer )(?=[^\s]*\d|[A-Za-z]{20})[A-Za-z0-9._~+/\-]{16,}=*")),
    ("asic ", re.compile(r"(?<=\b[Bb]asic )(?=[A-Za-z0-9+/]*[A-Z0-9])[A-Za-z0-9+/]{16,}={0,2}")),
    (
        "PRIVATE KEY-----",
        # One that was cut off has no end.
        re.compile(
            r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----"
            r"(?:.{0,20000}?-----END [A-Z ]{0,30}PRIVATE KEY-----|[A-Za-z0-9+/=\s\\]*(?:-----[A-Z ]*)?)",
            re.DOTALL,
        ),
    ),
)
_SK: Final = re.compile(r"\bsk-[A-Za-z0-9_\-]{16,}")
_LOGIN: Final = re.compile(
    r"(?P<before>(?<![a-z0-9+.\-])[a-z][a-z0-9+.\-]{0,20}://[^\s/:@'\"]{0,200}:)(?P<value>[^\s/@'\"]{1,500})(?=@)", re.I
)
_TOKEN_LOGIN: Final = re.compile(r"(?<=://)(?P<value>[A-Za-z0-9_\-]{20,500})(?=@)")
_OPTION: Final = re.compile(r"(?P<before>[?&;]\s?(?P<name>[\w\-]{1,60})=)(?P<value>[^\s&;'\"#]+)")

# -- code ---------------------------------------------------------------------------------

# Possessive throughout, and no name begins inside another one: a cell full of data takes no time.
_ASSIGNED: Final = re.compile(
    r"""
    (?P<before>
        (?<![\w\-])(?P<name>[\w\-]++)\\?["']?\s*+\]?\s*+
        (?::\s*+[\w.\[\] |]{1,40}?(?==))?[=:](?!=)\s*+\(?\s*+[rbufRBUF]{0,3}
    )
    (?:
        (?P<triple>\"\"\"|\'\'\')(?P<long>.*?)(?P=triple)
        |(?P<quote>\\?["'])(?P<value>(?:(?!(?P=quote))(?:\\.|[^\\\n]))*+)(?P=quote)
    )
    """,
    re.DOTALL | re.VERBOSE,
)
# A shell's words: `%env MY_TOKEN=...`, `!curl --password ... url`.
_SHELL_LINE: Final = re.compile(r"^[ \t]*(?:[%!$]|export[ ]|set[ ]).*$", re.MULTILINE)
_SHELL_WORD: Final = re.compile(
    r"(?P<before>(?<![\w\-])(?P<name>[\w\-]++)=|(?<![\w\-])(?P<option>--[\w\-]++)[ \t]+"
    r"|%(?:set_)?env[ \t]+(?P<variable>\w++)[ \t]+)(?P<value>[^\s'\"]+)"
)
# `curl -u ada:... url`
_SHELL_LOGIN: Final = re.compile(r"(?P<before>(?<=\s)(?:-u|--user)[ =][\"']?[\w.@\-]{1,100}:)(?P<value>[^\s'\"]+)")
# Elsewhere a bare word after a name is code, unless it can only be a value: `API_KEY=abc123` of a file or a message.
_BARE: Final = re.compile(
    r"(?P<before>(?<![\w\-])(?P<name>[\w\-]++)[\"']?(?:=|:[ \t]+)\(?)"
    r"(?P<value>(?=[^\s\d]{0,200}\d)(?![A-Za-z]\w{0,100}[.(_])[A-Za-z0-9+/=!#$%^&*~.\-]{6,1000}+)(?=[\s,;)\]}]|$)"
)
_SECRET_MARKS: Final = ("pass", "pw", "token", "secret", "key", "cred", "auth", "bearer", "jwt", "login")
_NAMES: Final = re.compile(r"[\w\-]+")


@dataclass(slots=True)
class _Choice:
    """What this process masks: what was added, what is allowed, what was met."""

    enabled: bool | None = None
    allowed: frozenset[str] = frozenset()
    added: tuple[re.Pattern[str], ...] = ()
    # The text of the variable that the patterns of the environment were read from.
    variable: str = ""
    of_environment: tuple[re.Pattern[str], ...] = ()
    known: dict[str, None] = field(default_factory=dict)
    # What of the environment sounds like a secret, and how many variables there were when that was looked up.
    variables: tuple[str, ...] = ()
    count: int = -1
    said: set[str] = field(default_factory=set)
    # Long texts that were gone through lately, and what became of them.
    held: dict[str, str] = field(default_factory=dict)

    @property
    def patterns(self) -> tuple[re.Pattern[str], ...]:
        return self.added + self.of_environment


_choice = _Choice()


def add_secret_pattern(pattern: str) -> None:
    r"""Mask, from now on, also what matches a regular expression.

    A name that matches as a whole hides its value; in values, sources and messages the
    text that matches is hidden itself. ``TRACKNB_SECRET_PATTERNS`` holds such patterns too,
    with spaces between them.

    Raises
    ------
    ValueError
        It is no regular expression, or matches the empty text.

    Examples
    --------
    >>> import tracknb
    >>> tracknb.add_secret_pattern(r"acme-[0-9]{6}")
    >>> with tracknb.start_run() as run:
    ...     _ = tracknb.log_param("badge", "acme-123456")
    >>> tracknb.get_run(run.info.run_id).data.params
    {'badge': '***'}
    """
    _choice.added = (*_choice.added, _compiled(pattern))
    _forget()


def set_secret_masking(enabled: bool = True, *, allow: Iterable[str] = ()) -> None:
    """Say whether what looks like a key is masked, and which names are not secrets here.

    Parameters
    ----------
    enabled
        False stores everything as it is, as ``TRACKNB_MASK_SECRETS=0`` does.
    allow
        Names, such as ``"token"``, whose values are stored; in place of those of an earlier call.
    """
    if isinstance(allow, str):
        allow = [allow]
    _choice.enabled, _choice.allowed = bool(enabled), frozenset(allow)
    _forget()


def _forget() -> None:
    """Let go of what was found by rules that hold no more."""
    is_secret_name.cache_clear()
    _choice.held.clear()


def masked(what: str, key: str, value: str) -> str:
    """Return what may be stored of a value that is logged under a key.

    ``what`` is the kind of thing that it is, such as ``param``; a warning names it, once.
    """
    if not _is_enabled():
        return value
    if hides(key, value):
        _remember(key, value)
        _say(f"the {what} '{key}'")
        return MASK
    # Nothing shorter is masked by its shape.
    if len(value) < 6:
        return value
    clean = _masked_text(value)
    if clean != value:
        _say(f"the {what} '{key}'")
    return clean


def mask(text: str, what: str | None = "a text") -> str:
    """Return code or running text with everything that looks like a key replaced by ``***``.

    A warning names ``what`` it is, once; with None nothing is said.

    Examples
    --------
    >>> mask("api_key = '***'; lr = 0.1")
    "api_key = '***'; lr = 0.1"
    """
    if not _is_enabled():
        return text
    clean = _masked_text(text)
    if clean != text and what is not None:
        _say(what)
    return clean


def hides(key: str, value: str) -> bool:
    """Tell whether a value is masked for the name that it goes by."""
    return _is_enabled() and is_secret_name(key) and _can_be_secret(key, value) and not _is_choice(key, value)


def _is_choice(key: str, value: str) -> bool:
    """Tell whether a bare ``token`` means the way that text is cut up: ``token="word"``."""
    return key.lower() == "token" and _PLAIN_WORDS.match(value) is not None


def _is_enabled() -> bool:
    if _choice.enabled is not None:
        return _choice.enabled
    return os.environ.get("TRACKNB_MASK_SECRETS", "").strip().lower() not in ("0", "false", "no", "off")


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}.") from None
    if compiled.search("") is not None:
        raise ValueError(f"{pattern!r} matches the empty text, and so everything.")
    return compiled


def _refresh() -> None:
    """Take in what the environment says by now."""
    told = os.environ.get("TRACKNB_SECRET_PATTERNS", "")
    if told != _choice.variable:
        _choice.variable, found = told, []
        for pattern in told.split():
            try:
                found.append(_compiled(pattern))
            except ValueError as error:
                _warn(f"TRACKNB_SECRET_PATTERNS: {error} It is passed over.")
        _choice.of_environment = tuple(found)
        _forget()
        _choice.count = -1
    if len(os.environ) != _choice.count:
        _choice.count = len(os.environ)
        _choice.variables = tuple(name for name in os.environ if name not in _PLAIN_VARIABLES and is_secret_name(name))
    for name in _choice.variables:
        value = os.environ.get(name, "")
        if value not in _choice.known and _can_be_secret(name, value):
            _remember(name, value)


def _remember(name: str, value: str) -> None:
    """Look out for a secret's value from now on."""
    # A bare `token` may be one of a text.
    if name.lower() == "token" and (len(value) < _SHORTEST_TOKEN or not any(map(str.isdigit, value))):
        return
    if _is_telling(value) and value not in _choice.known:
        if len(_choice.known) >= _MOST_KNOWN:
            del _choice.known[next(iter(_choice.known))]
        _choice.known[value] = None
        _choice.held.clear()


def _masked_text(text: str) -> str:
    """Return a text without keys; every run of a cell brings the same long one, masked and not yet."""
    _refresh()
    if len(text) < _LONG:
        return _without_keys(text)
    held = _choice.held.get(text)
    if held is None:
        held = _without_keys(text)
        if len(_choice.held) >= _MOST_HELD:
            _choice.held.clear()
        _choice.held |= {text: held, held: held}
    return held


def _without_keys(text: str) -> str:
    for marker, shape in _SHAPES:
        if marker in text:
            text = shape.sub(MASK, text)
    if "sk-" in text:
        text = _SK.sub(_sk, text)
    if "://" in text:
        text = _LOGIN.sub(_hidden, text)
        text = _TOKEN_LOGIN.sub(MASK, text)
    for pattern in _choice.patterns:
        text = pattern.sub(MASK, text)
    if " -u" in text or " --user" in text:
        text = _SHELL_LOGIN.sub(_hidden, text)
    if _has_secret_name(text):
        text = _without_literals(text)
        text = _ASSIGNED.sub(_hidden_literal, text)
        text = _SHELL_LINE.sub(lambda line: _SHELL_WORD.sub(_hidden_word, line[0]), text)
        text = _OPTION.sub(_hidden_named, text)
        text = _BARE.sub(_hidden_bare, text)
    for value in tuple(_choice.known):
        if value in text:
            text = text.replace(value, MASK)
    return text


def _has_secret_name(text: str) -> bool:
    lower = text.lower()
    if not _choice.patterns and not any(mark in lower for mark in _SECRET_MARKS):
        return False
    if any(call in text for call in literals.LOGINS):
        return True
    return any(map(is_secret_name, set(_NAMES.findall(text))))


def _hidden(found: re.Match[str]) -> str:
    return found[0] if _PLACEHOLDER.match(found["value"]) else f"{found['before']}{MASK}"


def _hidden_named(found: re.Match[str]) -> str:
    return _hidden_value(found, found["name"])


def _hidden_bare(found: re.Match[str]) -> str:
    # `token: gpt2-bpe` is a note on a text's.
    is_short = found["name"].lower() == "token" and len(found["value"]) < _SHORTEST_TOKEN
    return found[0] if is_short else _hidden_named(found)


def _hidden_word(found: re.Match[str]) -> str:
    return _hidden_value(found, found["name"] or found["option"] or found["variable"])


def _hidden_value(found: re.Match[str], name: str) -> str:
    value = found["value"]
    if not is_secret_name(name) or not _can_be_secret(name, value):
        return found[0]
    _remember(name, value)
    return f"{found['before']}{MASK}"


def _hidden_literal(found: re.Match[str]) -> str:
    quote = found["triple"] or found["quote"]
    value = found["long"] if found["triple"] else found["value"]
    if not is_secret_name(found["name"]):
        # There may be one behind it: `config = "password='...'"`, `ValueError: token='...'`.
        own = found.end("name") - found.start()
        return found[0][:own] + _ASSIGNED.sub(_hidden_literal, found[0][own:])
    if not _can_be_secret(found["name"], value):
        return found[0]
    _remember(found["name"], value)
    return f"{found['before']}{quote}{MASK}{quote}"


def _without_literals(source: str) -> str:
    """Return Python code without the literals that secret names get; what is no Python stays."""
    spans = set()
    for name, literal in literals.named(source, is_secret_name):
        if _can_be_secret(name, literal.value):
            _remember(name, literal.value)
            spans.add((literal.begin, literal.end))
    content = source.encode(errors="surrogatepass")
    for begin, end in sorted(spans, reverse=True):
        quote = b'"' if content[begin:end].endswith(b'"') else b"'"
        content = content[:begin] + quote + MASK.encode() + quote + content[end:]
    return content.decode(errors="surrogatepass")


# -- what is said -------------------------------------------------------------------------

_MOST_SAID: Final = 20


def _say(what: str) -> None:
    """Warn, once for each thing of this process, that it was masked."""
    if what in _choice.said or len(_choice.said) >= _MOST_SAID:
        return
    advice = "" if _choice.said else " If it is none, tracknb.set_secret_masking(allow=[...]) names what may be stored."
    _choice.said.add(what)
    _warn(f"{what[0].upper()}{what[1:]} holds what looks like a key or a password: it is stored as {MASK}.{advice}")


def _warn(message: str) -> None:
    # At the user's own line: the first one that is neither ours nor of the shell that runs it.
    depth, frame = 1, sys._getframe(0)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith(("tracknb.", "IPython.")):
        depth, frame = depth + 1, frame.f_back
    # Where warnings are errors, the user's call must not fail of ours.
    with contextlib.suppress(Warning):
        warnings.warn(message, RuntimeWarning, stacklevel=depth)
