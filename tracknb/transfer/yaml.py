"""The flat YAML of MLflow's ``meta.yaml``: ``key: value`` a line, values as PyYAML writes them.

Texts may be plain, in single or in double quotes, and long ones are folded over several
lines. What is no text or whole number (an empty list, the tags of very old runs) is passed
over. A library for all of YAML would be a dependency for these twenty lines a file.
"""

from __future__ import annotations

import re
from typing import Final

Value = str | int | None

_KEY: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*):(?:[ ]+|$)")
_ANY_KEY: Final = re.compile(r"['\"]?([^:'\"]+)['\"]?:(?:[ ]+|$)")
_WHOLE: Final = re.compile(r"[-+]?[0-9]+\Z")
_OWN_BREAKS: Final = "\u2028\u2029"
_BREAK: Final = "[\n\x85\u2028\u2029]"
_SPACES: Final = "[ \t]*"
# Blanks around the end of a line are no part of a text, and empty lines belong to the fold.
_FOLD: Final = re.compile(f"{_SPACES}{_BREAK}(?:{_SPACES}{_BREAK})*{_SPACES}")
_TOKEN: Final = re.compile(
    r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|"
    rf"{_BREAK}(?:{_SPACES}{_BREAK})*{_SPACES}|.)|{_FOLD.pattern}",
    re.DOTALL,
)
_ESCAPED: Final = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
_NOTHING: Final = ("", "null", "~", "Null", "NULL")


def read_below(text: str, key: str) -> dict[str, Value]:
    """Return the texts and whole numbers of the mapping that stands below a key; nothing if none does.

    Examples
    --------
    >>> read_below("name: a\\ntags:\\n  data.context: 'it''s'\\n  n: 1\\nlast: b\\n", "tags")
    {'data.context': "it's", 'n': 1}
    """
    lines = text.replace("\r\n", "\n").split("\n")
    if f"{key}:" not in lines:
        return {}
    first = lines.index(f"{key}:") + 1
    last = first
    while last < len(lines) and (lines[last].startswith("  ") or not lines[last]):
        last += 1
    return _read("\n".join(line[2:] for line in lines[first:last]), _ANY_KEY)


def read_flat(text: str) -> dict[str, Value]:
    """Return the texts and whole numbers of a flat mapping.

    Raises
    ------
    ValueError
        It is none; the message says at which line.

    Examples
    --------
    >>> read_flat("name: 'it''s'\\nstatus: 3\\nend_time: null\\ntags: []\\n")
    {'name': "it's", 'status': 3, 'end_time': None}
    """
    return _read(text, _KEY)


def _read(text: str, pattern: re.Pattern[str]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    # Not splitlines(), which also breaks at letters that YAML leaves in a text.
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    place = 0
    while place < len(lines):
        line = lines[place]
        if not line.strip() or line.startswith(("#", "---", "- ", " ")):
            # Below a key whose value is a list: nothing that we read.
            place += 1
            continue
        key = pattern.match(line)
        if key is None:
            raise ValueError(f"line {place + 1} is not 'key: value'")
        first = place
        rest = [line[key.end() :]]
        place += 1
        quote = rest[0][:1] if rest[0][:1] in ("'", '"') else ""
        while place < len(lines) and (
            not _is_closed(rest, quote) if quote else lines[place].startswith(" ") and not rest[0].endswith((":", "|"))
        ):
            rest.append(lines[place])
            place += 1
        if quote and not _is_closed(rest, quote):
            raise ValueError(f"the quote in line {first + 1} has no end")
        if rest[0][:1] not in ("[", "{"):
            found[key[1]] = _quoted(rest, quote) if quote else _plain(rest)
    return found


def _is_closed(lines: list[str], quote: str) -> bool:
    body = "\n".join(lines)[1:].rstrip()
    if quote == "'":
        return len(body) - len(body.rstrip("'")) > 0 and body.replace("''", "").endswith("'")
    escaped = re.sub(r"\\.", "", body, flags=re.DOTALL)
    return escaped.endswith('"')


def _plain(lines: list[str]) -> Value:
    text = _FOLD.sub(_folded, "\n".join(lines).strip(" "))
    if text in _NOTHING:
        return None
    return int(text) if _WHOLE.match(text) else text


def _quoted(lines: list[str], quote: str) -> str:
    text = "\n".join(lines).rstrip()[1:-1]
    if quote == "'":
        return _FOLD.sub(_folded, text).replace("''", "'")
    return _TOKEN.sub(_unescaped, text)


def _folded(found: re.Match[str]) -> str:
    """Return what a fold stands for: a blank, or the line ends of the empty lines in it."""
    return _breaks(found[0], alone=" ")


def _breaks(fold: str, alone: str) -> str:
    first, *rest = re.findall(_BREAK, fold)
    # A line end of Unicode's own stands for itself.
    kept = first if first in _OWN_BREAKS else alone if not rest else ""
    return kept + "".join(line_end if line_end in _OWN_BREAKS else "\n" for line_end in rest)


def _unescaped(found: re.Match[str]) -> str:
    """Return the text of an escape, or of a fold, which in double quotes may be escaped too."""
    code = found[0]
    if code[0] != "\\":
        return _folded(found)
    code = code[1:]
    if re.match(_BREAK, code):
        return _breaks(code, alone="").lstrip("\u2028\u2029") if code[0] in _OWN_BREAKS else _breaks(code, alone="")
    return chr(int(code[1:], 16)) if len(code) > 1 else _ESCAPED.get(code, code)
