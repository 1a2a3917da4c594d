"""One page that works anywhere: the data, the script that draws it, and the plain HTML for when that cannot run.

The page loads nothing. Its policy lets the browser run one script, known by its digest,
and reach no address, so nothing that is stored can become code or a request.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tracknb.errors import InvalidValue, TracknbError
from tracknb.files import replace_whole

# What the data of such a page may weigh: a mail still takes it, a browser reads it at once.
PAYLOAD_LIMIT: Final = 5_000_000
# JupyterLab's extension draws with the same script, and it lies where JupyterLab wants its files.
_IN_CHECKOUT: Final = Path(__file__).parents[1] / "labextension" / "static" / "views.js"
_AS_INSTALLED: Final = "share/jupyter/labextensions/tracknb/static/views.js"
# What ends a script element or a line of one, inside a JSON text.
_IN_SCRIPT: Final = str.maketrans({letter: f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"})
_STYLE: Final = """
:root { color-scheme: light dark; }
body { margin: 0 auto; padding: 16px; max-width: 1600px; background: #ffffff; color: #212121;
  font: 13px/20px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; }
#plain table { border-collapse: collapse; }
#plain th, #plain td { padding: 2px 8px; border-bottom: 1px solid #88888855; }
#plain img { max-width: 100%; }
@media (prefers-color-scheme: dark) { body { background: #111111; color: #e8e8e8; } }
"""


def page_of(payload: Mapping[str, Any], *, html: str, title: str) -> str:
    """Return the page; ``html`` and ``title`` are HTML in which everything stored is escaped."""
    script = _script()
    # The view's id is of no use without the kernel that made it, and differs each time.
    data = json.dumps(
        {key: value for key, value in payload.items() if key != "view"}, allow_nan=False, separators=(",", ":")
    ).translate(_IN_SCRIPT)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<main id="view"></main>\n<div id="plain">{html}</div>\n'
        f'<script type="application/json" id="data">{data}</script>\n<script>{script}</script>\n</body>\n</html>\n'
    )


def write(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write a page or a picture whole or not at all, over an older one, and return where it is.

    Raises
    ------
    InvalidValue
        The folder is not there, or nobody may write there.
    """
    target = Path(path).expanduser().absolute()
    if not target.parent.is_dir():
        raise InvalidValue(f"There is no folder {target.parent}. Make it first, or save elsewhere.")
    if target.is_dir():
        raise InvalidValue(f"{target} is a folder. Name a file in it, such as {target / 'runs.html'}.")
    try:
        replace_whole(target, lambda partial: partial.write_bytes(content))
    except OSError as error:
        raise InvalidValue(f"{target} could not be written: {error.strerror}. Save it elsewhere.") from error
    return target


def script_path() -> Path:
    """Return where the script of saved pages lies: in a checkout, else where the installer says that it put it."""
    if _IN_CHECKOUT.is_file():
        return _IN_CHECKOUT
    # Only now: who loads the extension and saves no page does not pay for it.
    from importlib.metadata import PackageNotFoundError, files

    with contextlib.suppress(PackageNotFoundError):
        for file in files("tracknb") or ():
            if file.as_posix().endswith(_AS_INSTALLED):
                return Path(str(file.locate()))
    return Path(sys.prefix, _AS_INSTALLED)


def _script() -> str:
    place = script_path()
    try:
        script = place.read_text(encoding="utf-8")
    except OSError as error:
        raise TracknbError(
            f"The script of saved pages is missing from this installation ({place}). Install tracknb again."
        ) from error
    # What would end the element early cannot stand in it; the build writes neither.
    if "</script" in script.lower() or "<!--" in script:
        raise TracknbError("The script of saved pages cannot stand in a page. Install tracknb again.")
    return script
