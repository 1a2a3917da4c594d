"""What MLflow's tracking has and tracknb not yet, with the reason; each is a test that is expected to fail.

A gap that is closed makes its test pass, and that fails the run until its line here is gone.
"""

from __future__ import annotations

from typing import Final

NOT_YET_THERE: Final = {}
_PARAMETERS: Final = {
    "module.create_experiment": "trace_location: there are no traces",
    "module.set_experiment": "trace_location: there are no traces",
    "module.log_metric": "model_id and dataset: there are no logged models",
    "module.log_metrics": "model_id and dataset: there are no logged models",
    "client.log_metric": "model_id and datasets: there are no logged models",
}
_SCRIPTS: Final = {
    "the_user_of_a_run_made_by_the_client": "the client fills in the user",
}


def reasons() -> dict[str, str]:
    """Return why a test is expected to fail, by its name and its parameters."""
    found = {f"test_a_call_takes_mlflows_parameters {call}": why for call, why in _PARAMETERS.items()}
    found |= {f"test_a_script_sees_what_it_sees_under_mlflow {name}": why for name, why in _SCRIPTS.items()}
    return found
