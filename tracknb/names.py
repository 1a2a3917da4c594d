"""Ids, readable names and the clock: the only source of chance and time.

Tests replace what stands here; nobody else calls ``random``, ``uuid`` or ``time``
for something that is stored or shown.
"""

from __future__ import annotations

import random
import string
import time
import uuid
from collections.abc import Mapping

# Its own generator: a user's random.seed(0) must not make two runs share a name,
# and naming a run must not advance the user's generator.
_chance = random.SystemRandom()

# Such as "08.3f"; a width of many digits would fill the memory.
_LONGEST_FORMAT = 6
_ADJECTIVES = """
    amber agile bold brave bright brisk calm clever coral crisp dapper eager early fair fleet gentle glad
    golden grand happy hardy honest humble ivory jolly keen kind late lively lucky mellow merry mild neat
    nimble noble olive patient plucky polite proud quick quiet rapid rare ready sage sharp silent silver sleek
    smart snug solid spry steady still stout sunny swift tidy true vivid warm wise witty young zesty
""".split()  # noqa: SIM905 -- a list would be a page long
_NOUNS = """
    alder badger beech birch bison cedar civet clover condor crane curlew dingo dolphin dove eagle egret elk
    elm falcon fennel fern finch fox gannet gecko gull hare hawk hazel heron ibex ibis jackal jay kestrel kite
    koala lark lemur linden lynx maple marten martin merlin newt oak ocelot orca osprey otter owl panda petrel
    pine plover puffin quail rail raven robin rook rowan seal shrike skua sorrel stoat stork swan swift teal
    tern thrush trout vole walnut wren yew
""".split()  # noqa: SIM905 -- a list would be a page long


def new_run_id() -> str:
    """Return a fresh run id: 32 hexadecimal digits, as MLflow makes them."""
    return uuid.uuid4().hex


def new_id() -> str:
    """Return a short id for something that lives as long as a kernel."""
    return uuid.uuid4().hex[:12]


def new_run_name() -> str:
    """Return two words and a number, such as ``brisk-otter-417``."""
    return f"{_chance.choice(_ADJECTIVES)}-{_chance.choice(_NOUNS)}-{_chance.randrange(1, 1000)}"


def now_ms() -> int:
    """Return the milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def filled(template: str, values: Mapping[str, str]) -> str | None:
    """Return a template such as ``"{model} lr={lr:.2g}"`` with its fields filled in; None while one is missing."""
    told = []
    try:
        for text, field, spec, _ in string.Formatter().parse(template):
            told.append(text)
            if field is None:
                continue
            if field not in values:
                return None
            if len(spec or "") > _LONGEST_FORMAT:
                return None
            told.append(format(float(values[field]), spec) if spec else values[field])
    except ValueError:
        # It is no template, or the value is no number: the name stays as it was given.
        return None
    return "".join(told)
