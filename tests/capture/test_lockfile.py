"""``pylock.toml`` as packaging's own parser reads it."""

from __future__ import annotations

import os
import tomllib

import pytest

from tracknb.capture import lockfile
from tracknb.capture.packages import Distribution, Source

pylock = pytest.importorskip("packaging.pylock")

DISTRIBUTIONS = (
    Distribution("numpy", "2.3.1"),
    Distribution("taxi-archive", "1.0", Source("archive", "https://example.org/a.zip", hashes=(("sha256", "00ff"),))),
    Distribution("taxi-edit", "0.1", Source("directory", "file:///srv/taxi%20edit", editable=True)),
    Distribution("taxi-git", "2.0", Source("vcs", "https://example.org/t.git", vcs="git", commit="a" * 40)),
    Distribution("taxi-url", "3.0", Source("archive", "https://example.org/t.whl")),
)


def with_a_wheel(package):
    """What installers ask for besides, and what nobody knows of a wheel that was unpacked."""
    if not {"vcs", "directory", "archive"}.isdisjoint(package):
        return package
    wheel = {"name": f"{package['name'].replace('-', '_')}-{package['version']}-py3-none-any.whl"}
    return package | {"wheels": [wheel | {"url": "https://example.org/x", "hashes": {"sha256": "00"}}]}


def test_a_lock_file_is_valid_but_for_the_hashes_that_nobody_knows():
    text = lockfile.written(DISTRIBUTIONS, facts={"python": "3.12.4"}, variables={"OMP_NUM_THREADS": "4"})
    told = tomllib.loads(text)

    parsed = pylock.Pylock.from_dict(told | {"packages": [with_a_wheel(item) for item in told["packages"]]})

    assert [item.name for item in parsed.packages] == [item.name for item in DISTRIBUTIONS]
    by_name = {item.name: item for item in parsed.packages}
    assert str(by_name["numpy"].version) == "2.3.1"
    # The version of a source tree may change: PEP 751 wants none there.
    assert (by_name["taxi-edit"].version, by_name["taxi-git"].version) == (None, None)
    assert (by_name["taxi-edit"].directory.path, by_name["taxi-edit"].directory.editable) == ("/srv/taxi edit", True)
    assert by_name["taxi-git"].vcs.commit_id == "a" * 40
    assert by_name["taxi-archive"].archive.hashes == {"sha256": "00ff"}
    assert told["tool"]["tracknb"] == {"python": "3.12.4", "variables": {"OMP_NUM_THREADS": "4"}}


def test_what_was_written_is_read_again():
    text = lockfile.written(DISTRIBUTIONS, facts={}, variables={"A": "1"})
    assert lockfile.read(text) == lockfile.Lock(
        {
            "numpy": "2.3.1",
            "taxi-archive": "1.0",
            "taxi-edit": "0.1 (editable)",
            "taxi-git": f"2.0 ({'a' * 12})",
            "taxi-url": "3.0",
        },
        {"A": "1"},
    )


@pytest.mark.parametrize("odd", ['"', "\\", "\n[[packages]]", "\x00\x7f", "größe 🚕", "\ud800"])
def test_any_text_stays_a_text(odd):
    text = lockfile.written([Distribution("a", odd)], facts={}, variables={odd: odd})
    shown = odd.encode("utf-8", "replace").decode()
    assert lockfile.read(text) == lockfile.Lock({"a": shown}, {shown: shown})


def test_an_environment_without_packages_is_a_lock_file_too():
    assert lockfile.read(lockfile.written([], facts={}, variables={})) == lockfile.Lock({}, {})


def test_a_folder_at_home_does_not_tell_whose_home_it_is(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    edit = Distribution("a", "1", Source("directory", "file:///home/ada/src/taxi", editable=True))
    neighbour = Distribution("b", "1", Source("directory", "file:///home/adam/taxi"))

    text = lockfile.written([edit, neighbour], facts={}, variables={})

    assert os.path.expanduser("~") == "/home/ada"
    assert [item["directory"]["path"] for item in tomllib.loads(text)["packages"]] == ["~/src/taxi", "/home/adam/taxi"]


@pytest.mark.parametrize("text", ["", "packages = 1", "packages = [{}]", "packages = []\ntool = 1", "= broken"])
def test_what_is_no_lock_file_is_refused(text):
    with pytest.raises(ValueError):
        lockfile.read(text)


def test_installers_are_told_where_each_package_is_to_be_had(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    local = Distribution("taxi-local", "0.2", Source("directory", f"file://{tmp_path}/taxi local"))
    unpinned = Distribution("taxi-odd", "")
    text = lockfile.written(
        [*DISTRIBUTIONS, local, unpinned, Distribution("tracknb", "0.1")], facts={"python": "3.12.4"}, variables={}
    )

    assert lockfile.requirements(text) == lockfile.Requirements(
        python="3.12.4",
        pinned=("numpy==2.3.1",),
        others=(
            "taxi-archive @ https://example.org/a.zip#sha256=00ff",
            "-e file:///srv/taxi%20edit",
            f"taxi-git @ git+https://example.org/t.git@{'a' * 40}",
            "taxi-url @ https://example.org/t.whl",
            f"taxi-local @ {(tmp_path / 'taxi local').as_uri()}",
        ),
        local={"taxi-edit": "/srv/taxi edit", "taxi-local": f"{tmp_path}/taxi local"},
        unpinned=("taxi-odd",),
    )


@pytest.mark.parametrize(
    "package",
    [
        'name = "--index-url"\nversion = "1"',
        'name = "numpy"\nversion = "1 --index-url=http://example.org"',
        'name = "numpy"\nversion = "1\\n-r other.txt"',
        'name = "numpy"\narchive = {url = "https://example.org/a.zip\\n--pre"}',
        'name = "numpy"\nvcs = {type = "git", url = "https://example.org/a --x", commit-id = "0"}',
    ],
)
def test_nothing_in_a_lock_file_becomes_an_option_of_an_installer(package):
    with pytest.raises(ValueError, match=r"is no package|is no place"):
        lockfile.requirements(f'requires-python = "==3.11.*"\n[[packages]]\n{package}\n')
