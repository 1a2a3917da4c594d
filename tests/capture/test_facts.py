"""The notebook and its work tree, asked without making anything run and without raising."""

from __future__ import annotations

import os
import subprocess

import pytest

from tracknb.capture import environment, git, source


@pytest.fixture
def work(tmp_path):
    """A work tree with one commit."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "a.py").write_text("a = 1\n")
    ask(folder, "init", "-q", "-b", "main")
    ask(folder, "add", "a.py")
    ask(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "x")
    return folder


def ask(folder, *arguments):
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_work_tree_tells_its_commit_branch_remote_and_changes(work):
    ask(work, "remote", "add", "origin", "https://adam:secret@example.org/taxi.git")
    (work / "a.py").write_text("a = 2\n")

    assert git.facts(work) == git.GitFacts(
        commit=ask(work, "rev-parse", "HEAD"), branch="main", remote="https://example.org/taxi.git", dirty=True
    )


def test_a_detached_head_has_no_branch(work):
    ask(work, "checkout", "-q", "--detach")
    facts = git.facts(work)
    assert facts is not None
    assert (facts.branch, facts.remote, facts.dirty) == (None, None, False)


def test_where_git_knows_nothing_there_is_nothing(tmp_path):
    assert git.facts(tmp_path) is None
    assert git.facts(tmp_path / "missing") is None
    ask(tmp_path, "init", "-q")
    # A new repository without a commit; asked by another path, as answers are kept for seconds.
    (tmp_path / "sub").mkdir()
    assert git.facts(tmp_path / "sub") is None


def test_without_git_nothing_is_known(work, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert git.facts(work) is None


def test_what_the_repository_configures_is_not_run(work):
    hook = work / "hook.sh"
    hook.write_text("#!/bin/sh\ntouch ran\n")
    hook.chmod(0o755)
    ask(work, "config", "core.fsmonitor", str(hook))

    assert git.facts(work) is not None
    assert "ran" not in os.listdir(work)


def test_the_front_end_names_the_notebook(monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert source.notebook_path({}) == "notebook"
    assert source.notebook_path({"__vsc_ipynb_file__": "/work/taxi.ipynb"}) == "/work/taxi.ipynb"
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/taxi.ipynb")
    assert source.notebook_path({}) == "/home/taxi.ipynb"
    monkeypatch.setenv("JPY_SESSION_NAME", "console-1")
    assert source.notebook_path({}) == "notebook"


def test_the_machine_is_told_in_a_few_words():
    assert environment.python_version().count(".") == 2
    assert environment.user_name()
    assert environment.platform_name()


def test_only_variables_that_are_named_are_told_and_keys_are_masked(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    monkeypatch.setenv("TAXI_API_KEY", "abc")
    monkeypatch.setenv("TAXI_STORE", "postgresql://ada:s3cret@example.org/runs")
    monkeypatch.setenv("TAXI_OTHER", "x")
    monkeypatch.delenv("TAXI_ABSENT", raising=False)

    assert environment.variables(["TAXI_STORE", "TAXI_API_KEY", "OMP_NUM_THREADS", "TAXI_ABSENT", ""]) == {
        "OMP_NUM_THREADS": "4",
        "TAXI_API_KEY": "***",
        "TAXI_STORE": "postgresql://ada:***@example.org/runs",
    }


def test_an_accelerator_is_told_by_its_driver_and_cuda_by_what_brings_it(tmp_path):
    for number in range(2):
        gpu = tmp_path / "gpus" / f"0000:0{number}:00.0"
        gpu.mkdir(parents=True)
        (gpu / "information").write_text("Model: \t\t NVIDIA A100-SXM4-80GB\nIRQ:   \t\t 34\n")
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 2024\n")
    told = "2 × NVIDIA A100-SXM4-80GB, driver 550.54.15"

    assert environment.accelerator({}, tmp_path) == told
    assert environment.accelerator({"nvidia-cuda-runtime-cu12": "12.4.127"}, tmp_path) == f"{told}, CUDA 12.4"
    assert environment.accelerator({"torch": "2.4.0+cu121"}, tmp_path) == f"{told}, CUDA 12.1"
    assert environment.accelerator({"torch": "2.4.0"}, tmp_path / "missing") == ""


def test_the_open_kernel_module_tells_its_version_too(tmp_path):
    (tmp_path / "version").write_text(
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  555.42.02  Release Build\n"
    )
    assert environment.accelerator({}, tmp_path) == "driver 555.42.02"
