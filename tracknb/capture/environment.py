"""Who runs this, on which Python, platform and accelerator, under which of the variables that may be told."""

from __future__ import annotations

import functools
import getpass
import os
import platform
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from tracknb.capture import secrets

# They change what a computation gives or how fast it is, and hold numbers.
VARIABLES: Final = (
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_VISIBLE_DEVICES",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PYTHONHASHSEED",
)
_VALUE_LETTERS: Final = 500
_NVIDIA: Final = Path("/proc/driver/nvidia")


@functools.cache
def user_name() -> str:
    """Return the login name, or ``unknown`` where the system knows none."""
    try:
        # A login may be no text: what is not becomes question marks.
        return getpass.getuser().encode("utf-8", "replace").decode()
    except (OSError, KeyError, ImportError):
        # Containers run under numbers that no user database lists.
        return "unknown"


def python_version() -> str:
    """Return the version of Python, such as ``3.12.4``."""
    return ".".join(str(part) for part in sys.version_info[:3])


@functools.cache
def platform_name() -> str:
    """Return the system and its processor, such as ``Linux x86_64``."""
    return f"{platform.system()} {platform.machine()}".strip()


def variables(names: Iterable[str]) -> dict[str, str]:
    """Return those of the named environment variables that are set; keys and passwords are ``***``.

    Examples
    --------
    >>> os.environ["OMP_NUM_THREADS"] = "4"
    >>> variables(["OMP_NUM_THREADS", "NOT_SET"])
    {'OMP_NUM_THREADS': '4'}
    """
    found = {}
    for name in sorted(set(names)):
        value = os.environ.get(name)
        if value is not None:
            is_secret = secrets.MASK in secrets.mask(f"{name} = 'x'")
            found[name] = secrets.MASK if is_secret else secrets.mask(value)[:_VALUE_LETTERS]
    return found


def accelerator(versions: Mapping[str, str], driver_folder: Path = _NVIDIA) -> str:
    """Return the NVIDIA GPUs, their driver and CUDA, such as ``2 × NVIDIA A100, driver 550.54, CUDA 12.4``.

    Nothing is imported for it: the system tells of GPU and driver, and of CUDA the distributions do
    that bring it along. Empty where there is none.

    Parameters
    ----------
    versions
        Of distributions, by name.
    driver_folder
        Where the driver tells of itself.
    """
    names = [_told(path, r"Model:\s*(.+)") for path in sorted(driver_folder.glob("gpus/*/information"))]
    driver = _told(driver_folder / "version", r"Kernel Module\s+(?:for \S+\s+)?([\d.]+)")
    if not names and not driver:
        return ""
    counted = [f"{names.count(name)} × {name}" if names.count(name) > 1 else name for name in dict.fromkeys(names)]
    cuda = _cuda(versions)
    return ", ".join(filter(None, [*counted, driver and f"driver {driver}", cuda and f"CUDA {cuda}"]))


def _cuda(versions: Mapping[str, str]) -> str:
    for name, version in sorted(versions.items()):
        if name.startswith("nvidia-cuda-runtime"):
            return ".".join(version.split(".")[:2])
    # torch's own builds: 2.4.0+cu124 is of CUDA 12.4.
    found = re.search(r"\+cu(\d+)(\d)$", versions.get("torch", ""))
    return f"{found[1]}.{found[2]}" if found else ""


def _told(path: Path, pattern: str) -> str:
    try:
        found = re.search(pattern, path.read_text(errors="replace"))
    except OSError:
        return ""
    return found[1].strip() if found else ""
