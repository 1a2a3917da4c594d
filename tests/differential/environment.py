"""The Python that has MLflow, which never shares an environment with tracknb.

``python -m tests.differential.environment`` makes it, in about 40 seconds; the tests
only look for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

VARIABLE: Final = "TRACKNB_TEST_MLFLOW"
FOLDER: Final = Path(__file__).resolve().parents[2] / ".venv-mlflow"
COMMAND: Final = "python -m tests.differential.environment"
# mlflow-skinny is MLflow without its server and its screen: a third of the size. SQLAlchemy
# and Alembic are what its SQLite store needs, pandas and NumPy its frames and datasets,
# Pillow its log_image.
REQUIREMENTS: Final = ("mlflow-skinny>=3.1,<4", "sqlalchemy", "alembic", "pandas", "numpy", "pillow", "scipy")


def find() -> Path:
    """Return the Python that has MLflow.

    Raises
    ------
    FileNotFoundError
        There is none; the message holds the command that makes one.
    """
    named = os.environ.get(VARIABLE)
    python = Path(named) if named else _python()
    if not python.is_file():
        where = f"{VARIABLE} names {python}, which is not there" if named else f"{FOLDER} does not hold one"
        raise FileNotFoundError(f"These tests need a Python that has MLflow: {where}. Make it with: {COMMAND}")
    return python


def make() -> Path:
    """Make the environment, or bring it up to the requirements; return its Python."""
    python = _python()
    if not python.is_file():
        venv.create(FOLDER, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
    return python


def _python() -> Path:
    return FOLDER / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


if __name__ == "__main__":
    print(make())
