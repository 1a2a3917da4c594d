"""Which distributions were imported, told from what lies in real folders."""

from __future__ import annotations

import importlib
import shutil
import sys

import pytest

from tests.capture.installed import install
from tracknb.capture.packages import Distribution, Imported, Source


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder to install into, on ``sys.path``; what is imported from it is forgotten."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        del sys.modules[name]


def versions(imported, *names):
    found = {item.name: item.version for item in imported.distributions()}
    return {name: found[name] for name in names if name in found}


def test_what_is_imported_is_told_with_what_it_needs_and_nothing_else(site):
    install(
        site,
        "Taxi_Rides",
        "1.2",
        {"taxirides/__init__.py": ""},
        requires=["taxi-zones[maps]>=1 ; python_version > '3'", "taxi-docs ; extra == 'docs'", "taxi-absent"],
    )
    install(site, "taxi-zones", "3.0", {"taxizones.py": ""}, requires=["taxi.maps; extra=='maps'"])
    for name in ("taxi-maps", "taxi-docs", "taxi-unused"):
        install(site, name, "1", {f"{name.replace('-', '')}.py": ""})
    importlib.import_module("taxirides")

    every = ("taxi-rides", "taxi-zones", "taxi-maps", "taxi-docs", "taxi-unused", "taxi-absent", "words-of-the-readme")
    assert versions(Imported(), *every) == {"taxi-rides": "1.2", "taxi-zones": "3.0", "taxi-maps": "1"}


def test_of_distributions_that_share_a_package_only_those_in_use_are_told(site):
    install(site, "shared-a", "1", {"sharedtaxi/a.py": ""})
    install(site, "shared-b", "2", {"sharedtaxi/b.py": ""})
    imported = Imported()
    importlib.import_module("sharedtaxi.b")
    assert versions(imported, "shared-a", "shared-b") == {"shared-b": "2"}

    importlib.import_module("sharedtaxi.a")

    assert versions(imported, "shared-a", "shared-b") == {"shared-a": "1", "shared-b": "2"}


def test_a_version_is_the_one_that_was_imported_not_the_one_that_was_installed_over_it(site):
    info = install(site, "taxi-swap", "1.0", {"taxiswap/__init__.py": ""})
    imported = Imported()
    importlib.import_module("taxiswap")
    assert versions(imported, "taxi-swap") == {"taxi-swap": "1.0"}

    shutil.rmtree(info)
    install(site, "taxi-swap", "2.0", {"taxiswap/__init__.py": "", "taxiswap/more.py": ""})
    install(site, "taxi-new", "5", {"taxinew.py": ""})
    importlib.invalidate_caches()
    importlib.import_module("taxinew")
    importlib.import_module("taxiswap.more")

    assert versions(imported, "taxi-swap", "taxi-new") == {"taxi-swap": "1.0", "taxi-new": "5"}


def test_an_editable_project_is_told_by_its_folder(site, tmp_path):
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    (project / "src" / "taxiedit.py").write_text("")
    told = {"url": project.as_uri(), "dir_info": {"editable": True}}
    install(site, "taxi-edit", "0.1", {"taxi_edit.pth": str(project / "src")}, direct_url=told)
    sys.path.insert(0, str(project / "src"))
    try:
        importlib.import_module("taxiedit")
        [found] = [item for item in Imported().distributions() if item.name == "taxi-edit"]
    finally:
        sys.path.remove(str(project / "src"))

    assert found == Distribution("taxi-edit", "0.1", Source("directory", project.as_uri(), editable=True))


def test_where_it_came_from_is_told_without_passwords(site):
    vcs = {"vcs": "git", "commit_id": "abc123", "requested_revision": "main"}
    install(
        site,
        "taxi-git",
        "1",
        {"taxigit.py": ""},
        direct_url={"url": "https://ada:s3cret@example.org/taxi.git", "vcs_info": vcs},
    )
    archive = {"url": "https://example.org/t.zip?token=s3cret", "archive_info": {"hashes": {"sha256": "00ff"}}}
    install(site, "taxi-zip", "1", {"taxizip.py": ""}, direct_url=archive)
    install(site, "taxi-odd", "1", {"taxiodd.py": ""}, direct_url=["not", "a", "table"])
    for name in ("taxigit", "taxizip", "taxiodd"):
        importlib.import_module(name)

    found = {item.name: item.source for item in Imported().distributions() if item.name.startswith("taxi-")}
    assert found == {
        "taxi-git": Source("vcs", "https://example.org/taxi.git", vcs="git", commit="abc123", revision="main"),
        "taxi-zip": Source("archive", "https://example.org/t.zip", hashes=(("sha256", "00ff"),)),
        "taxi-odd": None,
    }


def test_what_this_process_imports_has_the_versions_that_are_installed():
    from importlib.metadata import version

    found = {item.name: item.version for item in Imported().distributions()}
    assert found["sqlalchemy"] == version("sqlalchemy")
    assert found["pytest"] == version("pytest")
    assert found["pluggy"] == version("pluggy")


def test_strange_modules_are_passed_over(site, monkeypatch):
    class Hostile:
        def __getattr__(self, name):
            raise RuntimeError(name)

    monkeypatch.setitem(sys.modules, "hostile", Hostile())
    monkeypatch.setitem(sys.modules, "nothing", None)
    install(site, "taxi-broken", "1", {"taxibroken.py": ""})
    (site / "taxi_broken-1.dist-info" / "METADATA").write_bytes(b"\xff\xfe")
    importlib.import_module("taxibroken")

    assert versions(Imported(), "taxi-broken") == {"taxi-broken": "1"}


def test_while_nothing_is_imported_the_answer_is_the_same_object():
    imported = Imported()
    assert imported.distributions() is imported.distributions()
