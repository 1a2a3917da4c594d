"""What the README shows, runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parent.parent / "README.md"
SNIPPETS = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_a_python_snippet_of_the_readme_runs_in_an_empty_folder(number: int, tmp_path: Path) -> None:
    outcome = subprocess.run(
        [sys.executable, "-c", SNIPPETS[number]], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )

    assert outcome.returncode == 0, outcome.stderr
    assert (tmp_path / "tracknb.db").exists()


def test_the_readme_names_only_commands_that_exist() -> None:
    from tracknb.cli import cli

    text = README.read_text(encoding="utf-8")
    named = set(re.findall(r"^tracknb (\w+)", text, re.MULTILINE)) | set(re.findall(r"`tracknb (\w+)", text))

    assert named
    assert named <= set(cli.commands)
