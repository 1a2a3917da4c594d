"""Rebuild the committed front-end files when their sources have changed.

Built files are committed, so an installation needs no Node. What decides is the
digest of the sources, not file times: a fresh clone has none that mean anything.

Run by the build of the wheel, and by hand: ``python labextension/build_front_end.py``.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

WORKSPACE = Path(__file__).resolve().parent
STAMP = WORKSPACE.parent / "tracknb" / "notebook" / "static" / "sources.sha256"
# Beside the stamp; an older installation may have stamped without making this one.
PAGE_SCRIPT = WORKSPACE.parent / "tracknb" / "labextension" / "static" / "views.js"
_NOT_SOURCES = {"node_modules", "lib", "dist", "__pycache__"}


def digest() -> str:
    """Return the digest of everything that the built files are made from."""
    total = hashlib.sha256()
    for path in sorted(WORKSPACE.rglob("*")):
        relative = path.relative_to(WORKSPACE)
        if path.is_file() and not _NOT_SOURCES & set(relative.parts) and path.suffix not in {".py", ".tsbuildinfo"}:
            total.update(f"{relative.as_posix()}\n".encode())
            total.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return total.hexdigest()


def build(target_name: str = "wheel", version: str = "standard", *, force: bool = False) -> None:
    """Rebuild if the sources differ from those of the committed files and Node is there."""
    del target_name, version  # hatch-jupyter-builder passes them
    current = digest()
    if not force and PAGE_SCRIPT.exists() and STAMP.exists() and STAMP.read_text().strip() == current:
        return
    npm = shutil.which("npm")
    if npm is None:
        print("tracknb: no npm here, so the committed front-end files are used as they are", file=sys.stderr)
        return
    if not (WORKSPACE / "node_modules").is_dir():
        # `npm ci` refuses a lock file when a registry lacks the binary of some other platform
        # (npm/cli#9846); this installs the same locked versions and leaves the file alone.
        subprocess.run([npm, "install", "--no-save", "--no-audit", "--no-fund"], cwd=WORKSPACE, check=True)
    subprocess.run([npm, "run", "build"], cwd=WORKSPACE, check=True)
    STAMP.write_text(f"{current}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--force", action="store_true", help="rebuild even if nothing changed")
    build(force=parser.parse_args().force)
