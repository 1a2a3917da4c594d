"""Masks what looks like a key in source text, so that it reaches no store."""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "***"
# Lengths are bounded so that a cell full of data is not searched for minutes.
# A tokenizer and its special tokens are no secrets, and a run is poorer without them.
_NAME: Final = (
    r"(?!(?:\w{0,60}_)?(?:pad|eos|bos|unk|sep|cls|mask|special)_token)"
    r"[\w.\-]{0,60}(?:api_?key|token(?!i[sz])|passw(?:or)?d|passphrase|secret|credential|private_?key|access_?key)\w*"
    r"|(?:\w{1,60}_)?(?:pass|pwd|pw)"
)
# A quoted text assigned to, or keyed by, a name that sounds like a secret.
_ASSIGNED: Final = re.compile(
    rf"""(?P<before>(?:\b(?:{_NAME})|["'](?:{_NAME})["'])\s*\]?\s*(?::\s*\w+\s*)?[=:]\s*\(?\s*[rbuf]*)
    (?P<quote>\"\"\"|'\'\'|["'])(?P<value>.*?)(?P=quote)""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
# A bare word that a shell line gives to such a name: `%env MY_TOKEN=...`, `--password ...`.
_SHELL: Final = re.compile(
    rf"^(?P<before>\s*(?:[%!]|%%|export\s).*?(?:\b(?:{_NAME})=|--(?:{_NAME})[ =]))(?P<value>[^\s'\"]+)",
    re.IGNORECASE | re.MULTILINE,
)
# Texts that are keys whatever they are called.
_SHAPES: Final = (
    re.compile(r"\bsk-[A-Za-z0-9_\-]{16,}"),
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{20,}"),
    re.compile(r"\bgithub_pat_[A-Za-z0-9_]{20,}"),
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    re.compile(r"\bhf_[A-Za-z0-9]{20,}"),
    re.compile(r"\bxox[abprs]-[A-Za-z0-9\-]{10,}"),
    re.compile(r"(?<=\bBearer )[A-Za-z0-9._~+/\-]{16,}=*"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL),
)
_URL_PASSWORD: Final = re.compile(
    r"(?P<before>\b[a-z][a-z0-9+.\-]{0,20}://[^\s/:@'\"]*:)[^\s/@'\"]+(?=@)", re.IGNORECASE
)


def mask(source: str) -> str:
    """Return source text with everything that looks like a key replaced by ``***``.

    Examples
    --------
    >>> mask("api_key = 'abc123'; lr = 0.1")
    "api_key = '***'; lr = 0.1"
    """
    source = _ASSIGNED.sub(lambda found: f"{found['before']}{found['quote']}{MASK}{found['quote']}", source)
    source = _SHELL.sub(lambda found: f"{found['before']}{MASK}", source)
    source = _URL_PASSWORD.sub(lambda found: f"{found['before']}{MASK}", source)
    for shape in _SHAPES:
        source = shape.sub(MASK, source)
    return source
