"""Masks what looks like a key in source text, so that it reaches no store."""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "***"
_NAME: Final = r"[\w.\-]*(?:api_?key|token|passw(?:or)?d|secret|credential|private_?key|access_?key)[\w]*"
# A quoted text assigned to, or keyed by, a name that sounds like a secret.
_ASSIGNED: Final = re.compile(
    rf"""(?P<before>(?:\b{_NAME}|["']{_NAME}["'])\s*\]?\s*(?::\s*\w+\s*)?[=:]\s*[rbuf]*)
    (?P<quote>\"\"\"|'\'\'|["'])(?P<value>.*?)(?P=quote)""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
# Texts that are keys whatever they are called.
_SHAPES: Final = (
    re.compile(r"\bsk-[A-Za-z0-9_\-]{16,}"),
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{20,}"),
    re.compile(r"\bgithub_pat_[A-Za-z0-9_]{20,}"),
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    re.compile(r"\bhf_[A-Za-z0-9]{20,}"),
    re.compile(r"\bxox[abprs]-[A-Za-z0-9\-]{10,}"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL),
)
_URL_PASSWORD: Final = re.compile(r"(?P<before>\b[a-z][a-z0-9+.\-]*://[^\s/:@'\"]*:)[^\s/@'\"]+(?=@)", re.IGNORECASE)


def mask(source: str) -> str:
    """Return source text with everything that looks like a key replaced by ``***``.

    Examples
    --------
    >>> mask("api_key = 'abc123'; lr = 0.1")
    "api_key = '***'; lr = 0.1"
    """
    source = _ASSIGNED.sub(lambda found: f"{found['before']}{found['quote']}{MASK}{found['quote']}", source)
    source = _URL_PASSWORD.sub(lambda found: f"{found['before']}{MASK}", source)
    for shape in _SHAPES:
        source = shape.sub(MASK, source)
    return source
