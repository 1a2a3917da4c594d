"""A user's own ``mypy --strict`` reads tracknb's types, and they are right."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest
from mypy import api

HERE = Path(__file__).parent
# As in an installed package, what is wrong inside tracknb is not the user's to see.
USER = ["--strict", "--config-file=", "--follow-imports=silent", "--no-error-summary"]


@pytest.mark.timeout(300)
def test_what_a_user_types_is_accepted_and_what_is_wrong_is_not(tmp_path_factory):
    cache = tmp_path_factory.mktemp("mypy")
    wrong = cache / "wrong.py"
    lines = {
        'mlflow.start_run(run_nam="x")': "call-arg",
        'mlflow.log_metrics({"a": "x"})': "dict-item",
        'mlflow.search_runs(output_format="list").columns': "attr-defined",
        'mlflow.get_experiment_by_name("x").name': "union-attr",
        "mlflow.active_run().info": "union-attr",
        'mlflow.get_run("x").info.stauts': "attr-defined",
        'mlflow.get_run("x").data.metrics["a"].upper()': "attr-defined",
        "mlflow.log_parm('a', 1)": "attr-defined",
        'mlflow.MlflowClient().log_metric("x", "a", "text")': "arg-type",
    }
    wrong.write_text("\n".join(["import tracknb as mlflow", *lines]))

    printed, complaint, _ = api.run([*USER, f"--cache-dir={cache}", str(HERE / "api.py"), str(wrong)])

    assert complaint == ""
    found = [re.fullmatch(r"(.*):(\d+): error: .*\[(.*)\]", line) for line in printed.splitlines() if "error" in line]
    assert [match.groups() for match in found] == [
        (str(wrong), str(number), code) for number, code in enumerate(lines.values(), 2)
    ]


def test_the_mark_of_a_typed_package_is_shipped():
    """Without it a type checker takes everything for Any."""
    assert (files("tracknb") / "py.typed").is_file()
