"""Distributions that lie in a folder as pip leaves them there."""

from __future__ import annotations

import json


def install(site, name, version, files, *, requires=(), direct_url=None):
    """Write a distribution into a folder: its modules, METADATA, RECORD and where it came from."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    for path, text in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text)
    head = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        f"Version: {version}",
        *(f"Requires-Dist: {it}" for it in requires),
    ]
    (info / "METADATA").write_text("\n".join(head) + "\n\nRequires-Dist: words-of-the-readme\n")
    listed = [*files, f"{info.name}/METADATA", f"{info.name}/RECORD", "../../bin/tool"]
    (info / "RECORD").write_text("".join(f"{path},sha256=x,1\n" for path in listed))
    if direct_url is not None:
        (info / "direct_url.json").write_text(json.dumps(direct_url))
    return info
