"""What a work tree holds that is in no commit; git is asked and runs nothing of the folder's."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from tests.capture.test_facts import ask, work
from tracknb.capture import git

__all__ = ["work"]
COMMIT = ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "x")


def commit(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    ask(folder, "add", "-A")
    ask(folder, *COMMIT)


def test_a_patch_brings_the_commit_to_what_was_run(work, tmp_path):
    (work / "a.py").write_text("a = 2\nb = 3\n")
    (work / "sub").mkdir()
    # The user's own taste must not change what the patch is.
    for key, value in (("diff.noprefix", "true"), ("color.ui", "always"), ("diff.relative", "true")):
        ask(work, "config", key, value)

    found = git.changes(str(work / "sub"))

    assert found is not None
    assert (found.files, found.added, found.removed, found.left_out) == (1, 2, 1, ())
    clone = tmp_path / "clone"
    ask(tmp_path, "clone", "-q", str(work), str(clone))
    subprocess.run(["git", "apply"], cwd=clone, input=found.patch.encode(), check=True)
    assert (clone / "a.py").read_text() == "a = 2\nb = 3\n"


def test_a_clean_tree_and_no_tree_have_no_changes(work, tmp_path):
    assert git.changes(str(work)) is None
    assert git.changes(str(tmp_path)) is None
    assert git.ask_changes(str(tmp_path)) is None


def test_binary_and_long_files_are_left_out_and_named(work):
    commit(work, b__bin=b"\x00\x01", c__csv="1\n")
    (work / "a.py").write_text("a = 2\n")
    (work / "b.bin").write_bytes(b"\x00\x02")
    (work / "c.csv").write_text("2\n" * 200_000)

    found = git.changes(str(work))

    assert found is not None
    assert found.left_out[0] == "a/b.bin b/b.bin: binary"
    assert found.left_out[1].startswith("a/c.csv b/c.csv: ")
    assert "# Left out: a/b.bin b/b.bin: binary\n" in found.patch
    assert "+a = 2\n" in found.patch
    assert len(found.patch) < 2_000
    subprocess.run(["git", "apply", "-R", "--check"], cwd=work, input=found.patch.encode(), check=True)


def test_a_huge_patch_is_cut_and_git_is_not_heard_to_its_end(work):
    commit(work, z__csv="1\n")
    (work / "a.py").write_text("a = 2\n")
    (work / "z.csv").write_text("222222222\n" * 3_000_000)

    found = git.changes(str(work))

    assert found is not None
    assert "+a = 2\n" in found.patch
    assert len(found.patch) < 2_000
    assert found.left_out == ("a/z.csv b/z.csv, and what follows: the patch ends at 1,000,000 bytes",)


def test_keys_do_not_reach_a_patch(work):
    (work / "a.py").write_text("api_key = 'abc123def'\nurl = 'https://ada:pw12345@example.org'\n")
    found = git.changes(str(work))
    assert found is not None
    assert "abc123def" not in found.patch
    assert "pw12345" not in found.patch
    assert found.patch.startswith("# What looks like a key is ***")


def test_imported_files_that_git_does_not_have_are_told_with_their_text(work, tmp_path):
    (work / "features.py").write_text("password = 'hunter22'\nx = 1\n")
    (work / "[odd].py").write_text("y = 1\n")
    (work / "ignored.py").write_text("z = 1\n")
    (work / ".gitignore").write_text("ignored.py\n")
    (work / "big.py").write_text("#" * 300_000)
    outside = tmp_path / "outside.py"
    outside.write_text("")
    names = ("a.py", "features.py", "[odd].py", "ignored.py", "big.py")

    found = git.untracked(str(work), [str(outside), *(str(work / name) for name in names)])

    assert list(found) == ["[odd].py", "big.py", "features.py", "ignored.py"]
    assert git.texts(found) == {
        "[odd].py": "y = 1\n",
        "features.py": "password = '***'\nx = 1\n",
        "ignored.py": "z = 1\n",
    }


def test_nobody_waits_for_git_longer_than_was_said(work, tmp_path, monkeypatch):
    slow = tmp_path / "bin"
    slow.mkdir()
    (slow / "git").write_text("#!/bin/sh\nexec sleep 20\n")
    (slow / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow}:{os.environ['PATH']}")

    asked = git.ask_changes(str(work))
    began = time.monotonic()

    assert asked is not None
    assert asked.changes(0.1) is None
    assert time.monotonic() - began < 1
    assert git.changes(str(work)) is None
    assert time.monotonic() - began < 8


# -- a repository that wants to run something ----------------------------------------------


@pytest.fixture
def trap(work, tmp_path):
    """A work tree whose settings and attributes name a programme wherever git takes one."""
    script = tmp_path / "trap.sh"
    script.write_text(f'#!/bin/sh\necho "$0 $@" >> {tmp_path}/ran\ncat\n')
    script.chmod(0o755)
    sub = tmp_path / "other"
    sub.mkdir()
    ask(sub, "init", "-q")
    (sub / ".gitattributes").write_text("*.py filter=inner\n")
    commit(sub, s__py="s = 1\n")
    ask(work, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(sub), "sub")
    commit(work, b__py="b = 1\n", c__py="c = 1\n", e__py="e = 1\n")
    (work / ".gitattributes").write_text(
        "*.py filter=evil diff=evil merge=evil\nc.py filter=Ev=il.x\ne.py filter=long diff=cat\n"
    )
    commit(work, d__py="d = 1\n")
    run = str(script)
    settings = {
        "core.fsmonitor": run,
        "core.hooksPath": str(tmp_path),
        "core.pager": run,
        "core.editor": run,
        "core.sshCommand": run,
        "core.askPass": run,
        "core.gitProxy": run,
        "credential.helper": f"!{run}",
        "alias.diff": f"!{run}",
        "alias.status": f"!{run}",
        "alias.rev-parse": f"!{run}",
        "pager.diff": run,
        "pager.config": run,
        "diff.external": run,
        "diff.evil.textconv": run,
        "diff.evil.command": run,
        "diff.cat.textconv": run,
        "filter.evil.clean": run,
        "filter.evil.smudge": run,
        "filter.evil.required": "true",
        "filter.Ev=il.x.clean": run,
        "filter.inner.clean": run,
        "filter.long.process": run,
        "filter.long.required": "true",
        "diff.submodule": "diff",
        "status.submoduleSummary": "true",
        "submodule.recurse": "true",
        "color.ui": "always",
        "gpg.program": run,
        "log.showSignature": "true",
        "diff.ignoreSubmodules": "none",
    }
    for place in (work / ".git" / "config", work / ".git" / "modules" / "sub" / "config"):
        for key, value in settings.items():
            # The filter of the submodule is one that only its own settings tell of.
            if key != "filter.inner.clean" or place.parent.name == "sub":
                subprocess.run(["git", "config", "--file", str(place), key, value], check=True)
    for name in ("post-index-change", "pre-commit", "fsmonitor-watchman", "query-watchman"):
        for folder in (tmp_path, work / ".git" / "hooks"):
            (folder / name).write_text(script.read_text())
            (folder / name).chmod(0o755)
    for name in ("a.py", "b.py", "c.py", "e.py"):
        (work / name).write_text("changed = 1\n")
    # Of equal size: only its content tells that it changed, and that goes through a filter.
    (work / "sub" / "s.py").write_text("s = 2\n")
    return work


def test_nothing_that_a_repository_names_is_run(trap, tmp_path):
    found = git.changes(str(trap))
    facts = git.facts(str(trap))
    names = git.untracked(str(trap), [str(trap / "a.py"), str(trap / "new.py")])

    assert not (tmp_path / "ran").exists(), (tmp_path / "ran").read_text()
    assert found is not None
    assert found.patch.count("+changed = 1") == 4
    assert facts is not None
    assert facts.dirty is True
    assert list(names) == ["new.py"]


def test_the_trap_is_one_that_git_falls_into(trap, tmp_path):
    """Else the test above would prove nothing: asked plainly, git runs what the folder names."""
    subprocess.run(["git", "diff", "HEAD"], cwd=trap, capture_output=True, check=False, timeout=20)
    assert (tmp_path / "ran").exists()


def test_what_a_partial_clone_lacks_is_not_fetched(work, tmp_path):
    script = tmp_path / "upload.sh"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    script.chmod(0o755)
    blob = ask(work, "rev-parse", "HEAD:a.py")
    for key, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": f"file://{work}",
        "remote.origin.promisor": "true",
        "remote.origin.uploadpack": str(script),
    }.items():
        ask(work, "config", key, value)
    (work / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    (work / "a.py").write_text("a = 2\n")

    assert git.changes(str(work)) is None
    assert not (tmp_path / "ran").exists()
    subprocess.run(["git", "diff", "HEAD"], cwd=work, capture_output=True, check=False, timeout=20)
    assert (tmp_path / "ran").exists()


def test_a_setting_cannot_make_another_folder_the_work_tree(work, tmp_path):
    private = tmp_path / "private"
    private.mkdir()
    (private / "a.py").write_text("key of somebody\n")
    ask(work, "config", "core.worktree", str(private))
    assert git.changes(str(work)) is None
