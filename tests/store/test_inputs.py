"""Datasets of runs, values that params had, and what evaluation sets hold, on every kind of database."""

from __future__ import annotations

import os
import sqlite3
import warnings

import numpy as np
import pandas as pd
import pytest

import tracknb
from tracknb.entities import Dataset, DatasetInput, InputTag
from tracknb.errors import FilterError, InvalidValue, NotFound, ParamChanged

RIDES = pd.DataFrame({"fare": [4.5, 12.0], "zone": ["a", "b"]})


def names_of(**search):
    return sorted(run.info.run_name for run in tracknb.search_runs(output_format="list", **search))


def datasets_of(run):
    return [
        (given.dataset.name, {tag.key: tag.value for tag in given.tags})
        for given in tracknb.get_run(run.info.run_id).inputs.dataset_inputs
    ]


@pytest.mark.usefixtures("any_store")
class TestOnEveryDatabase:
    def test_a_dataset_comes_back_with_all_its_parts(self):
        rides = tracknb.data.from_pandas(RIDES, source="rides.csv", name="rides", targets="fare")
        with tracknb.start_run() as run:
            tracknb.log_input(rides, context="training", tags={"split": "é 🚕 '; DROP TABLE runs; --"})
        [given] = tracknb.get_run(run.info.run_id).inputs.dataset_inputs

        assert given.dataset == rides.to_entity()
        assert {tag.key: tag.value for tag in given.tags} == {
            "split": "é 🚕 '; DROP TABLE runs; --",
            "mlflow.data.context": "training",
        }

    def test_datasets_come_in_the_order_of_their_calls_and_once_each(self):
        with tracknb.start_run() as run:
            for name in ("b", "a", "c", "a"):
                tracknb.log_input(tracknb.data.from_pandas(RIDES, name=name), context=name)
        assert [name for name, _ in datasets_of(run)] == ["b", "a", "c"]

    def test_runs_share_a_dataset_and_keep_their_own_tags(self):
        rides = tracknb.data.from_numpy(np.arange(4), name="rides")
        runs = []
        for context in ("training", "evaluation"):
            with tracknb.start_run() as run:
                tracknb.log_input(rides, context=context)
            runs.append(run)
        found = [datasets_of(run)[0][1]["mlflow.data.context"] for run in runs]
        assert found == ["training", "evaluation"]

    def test_a_page_of_runs_carries_their_datasets(self):
        for number in range(3):
            with tracknb.start_run(run_name=f"r{number}"):
                for item in range(number):
                    tracknb.log_input(tracknb.data.from_numpy(np.array([item]), name=f"d{item}"))
        runs = tracknb.search_runs(output_format="list")
        assert {run.info.run_name: len(run.inputs.dataset_inputs) for run in runs} == {"r0": 0, "r1": 1, "r2": 2}

    def test_runs_are_found_by_name_digest_and_context(self):
        for name, context in (("rides", "training"), ("Rides 100%", "training"), ("zones", "evaluation")):
            with tracknb.start_run(run_name=name):
                tracknb.log_input(tracknb.data.from_pandas(RIDES, name=name, digest=f"d-{name}"), context=context)
        with tracknb.start_run(run_name="none"):
            pass

        assert names_of(filter_string="datasets.name = 'rides'") == ["rides"]
        assert names_of(filter_string="dataset.name LIKE '%100%'") == ["Rides 100%"]
        assert names_of(filter_string="datasets.name ILIKE 'RIDES%'") == ["Rides 100%", "rides"]
        assert names_of(filter_string="datasets.name != 'rides'") == ["Rides 100%", "zones"]
        assert names_of(filter_string="NOT datasets.name = 'rides'") == ["Rides 100%", "none", "zones"]
        assert names_of(filter_string="datasets.digest IN ('d-rides', 'd-zones')") == ["rides", "zones"]
        assert names_of(filter_string="datasets.context = 'evaluation' OR datasets.name = 'rides'") == [
            "rides",
            "zones",
        ]

    def test_a_run_that_is_removed_takes_its_uses_along(self):
        rides = tracknb.data.from_pandas(RIDES, name="rides")
        with tracknb.start_run() as gone:
            tracknb.log_input(rides, context="training")
            tracknb.log_param("lr", 1)
            tracknb.log_param("lr", 2, overwrite=True)
        with tracknb.start_run() as stays:
            tracknb.log_input(rides, context="training")
        client = tracknb.MlflowClient()
        client.delete_run(gone.info.run_id)
        client.gc()

        with pytest.raises(NotFound):
            tracknb.get_run(gone.info.run_id)
        assert datasets_of(stays) == [("rides", {"mlflow.data.context": "training"})]

    def test_inputs_are_noted_all_or_none(self):
        client = tracknb.MlflowClient()
        with tracknb.start_run() as run:
            pass
        good = tracknb.data.from_pandas(RIDES, name="rides").to_entity()
        bad = Dataset("rides", "d" * 65, "local", "{}")
        with pytest.raises(InvalidValue, match="64"):
            client.log_inputs(run.info.run_id, [DatasetInput(good), DatasetInput(bad)])
        with pytest.raises(InvalidValue, match="NUL"):
            client.log_inputs(run.info.run_id, [DatasetInput(good, [InputTag("a", "x\x00")])])
        assert datasets_of(run) == []

    def test_a_param_is_replaced_when_asked_and_its_values_are_kept(self):
        client = tracknb.MlflowClient()
        with tracknb.start_run() as run:
            tracknb.log_params({"lr": 0.1, "depth": 3})
            with pytest.raises(ParamChanged, match="overwrite=True"):
                tracknb.log_param("lr", 0.2)
            tracknb.log_params({"lr": 0.2, "depth": 3}, overwrite=True)
            tracknb.log_params({"lr": 0.3, "seed": 1}, overwrite=True)

        assert tracknb.get_run(run.info.run_id).data.params == {"lr": "0.3", "depth": "3", "seed": "1"}
        assert [value for value, _ in client.param_history(run.info.run_id, "lr")] == ["0.1", "0.2"]
        assert client.param_history(run.info.run_id, "depth") == []

    def test_one_name_for_different_evaluation_data_is_told(self):
        changed = pd.concat([pd.DataFrame({"fare": np.arange(12_000.0)}), pd.DataFrame({"fare": [1.0]})])
        other = changed.copy()
        # Beyond the rows that MLflow's digest looks at.
        other.iloc[-1, 0] = 2.0
        with tracknb.start_run(run_name="first"):
            tracknb.set_evaluation_set("march", changed)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with tracknb.start_run():
                tracknb.set_evaluation_set("march", changed.copy())
        with tracknb.start_run(), pytest.warns(UserWarning, match="'march' held other data in the run"):
            tracknb.set_evaluation_set("march", other)

        assert "different data of one name: 'march'" in tracknb.runs_table().text()
        assert "different data of one name: 'march'" in tracknb.runs_table().payload()["note"]
        assert len(names_of(filter_string="datasets.context = 'evaluation'")) == 3


def test_the_singular_views_answer_sql(store):
    with tracknb.start_run() as run:
        tracknb.log_input(tracknb.data.from_pandas(RIDES, name="rides"), context="training")
        tracknb.log_input(tracknb.data.from_pandas(RIDES, name="bare"))
    connection = sqlite3.connect(store)
    rows = connection.execute("SELECT run_id, name, context FROM input ORDER BY name").fetchall()
    datasets = connection.execute("SELECT name, source_type FROM dataset ORDER BY name").fetchall()
    connection.close()

    assert rows == [(run.info.run_id, "bare", None), (run.info.run_id, "rides", "training")]
    assert datasets == [("bare", "code"), ("rides", "code")]


@pytest.mark.usefixtures("store")
class TestWhatMayBeLogged:
    def test_a_frame_an_array_and_a_path_will_do(self, tmp_path):
        file = tmp_path / "rides.csv"
        file.write_text("fare\n4.5\n")
        with tracknb.start_run() as run:
            tracknb.log_input(RIDES, context="frame")
            tracknb.log_input(RIDES["fare"], context="column")
            tracknb.log_input(np.zeros((2, 3)), context="array")
            tracknb.log_input(file, context="file")
            tracknb.log_input(tmp_path, context="folder")
        given = tracknb.get_run(run.info.run_id).inputs.dataset_inputs

        assert [item.dataset.name for item in given] == ["dataset", "dataset", "dataset", "rides.csv", tmp_path.name]
        assert tracknb.data.get_source(given[3]).load() == str(file)
        assert given[3].dataset.profile == '{"num_bytes": 9}'

    def test_a_file_that_changed_is_other_data(self, tmp_path):
        file = tmp_path / "rides.csv"
        file.write_text("fare\n4.5\n")
        before = tracknb.data.from_file(file)
        file.write_text("fare\n4.6\n")
        after = tracknb.data.from_file(file)
        assert before.fingerprint() != after.fingerprint()
        assert before.digest != after.digest

    def test_what_is_no_data_is_refused_by_name(self, tmp_path):
        with tracknb.start_run() as run:
            with pytest.raises(InvalidValue, match="not set"):
                tracknb.log_input({1, 2})
            with pytest.raises(NotFound, match=r"absent\.csv"):
                tracknb.log_input(tmp_path / "absent.csv")
            with pytest.raises(InvalidValue, match=r"2 datasets, 1 contexts"):
                tracknb.log_inputs([RIDES, RIDES], ["a"], [None, None])
        assert datasets_of(run) == []

    def test_a_password_in_an_address_is_not_stored(self, store):
        with tracknb.start_run():
            tracknb.log_input(tracknb.data.from_pandas(RIDES, source="https://ada:hunter2@host/rides.csv"))
        assert b"hunter2" not in store.read_bytes() + store.with_name("runs.db-wal").read_bytes()

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("datasets.nam = 'x'", "datasets.name"),
            ("datasets.source = 'x'", "name, digest, context"),
            ("datasets.name > 'x'", "LIKE"),
            ("datasets.name = 5", "quotes"),
        ],
    )
    def test_a_wrong_filter_on_datasets_is_told(self, text, told):
        with pytest.raises(FilterError, match=told):
            tracknb.search_runs(filter_string=text)

    def test_an_order_by_datasets_is_told(self):
        with pytest.raises(FilterError, match="no order by their datasets"):
            tracknb.search_runs(order_by=["datasets.name"])

    @pytest.mark.parametrize(
        "column",
        [
            ([True, False], [False, True]),
            (pd.to_datetime(["2026-01-01", "2026-01-02"]), pd.to_datetime(["2026-01-01", "2026-01-03"])),
            (["x", None], ["q", None]),
            ([[1], [2]], [[1], [3]]),
            (pd.Categorical([1, 2]), pd.Categorical([1, 1])),
        ],
        ids=["truths", "times", "gaps", "lists", "categories"],
    )
    def test_a_fingerprint_sees_every_kind_of_column(self, column):
        before, after = (
            tracknb.data.from_pandas(pd.DataFrame({"a": [1, 2], "label": values})).fingerprint() for values in column
        )
        assert before != after

    def test_an_array_under_another_name_is_other_data(self):
        values = np.arange(3)
        first, second = (tracknb.data.from_numpy({name: values}).fingerprint() for name in "ab")
        assert first != second

    @pytest.mark.parametrize(
        "source",
        [
            "https://ghp_hunter2@github.com/x.csv",
            "https://h/x?X-Amz-Signature=hunter2",
            "jdbc:postgresql://u:hunter2@h/x",
            "simplecache::s3://k:hunter2@b/x",
            "file://u:hunter2@h/x#hunter2",
        ],
    )
    def test_no_key_in_an_address_is_kept(self, source):
        assert "hunter2" not in tracknb.data.from_pandas(RIDES, source=source).source.to_json()

    def test_a_folder_with_the_store_in_it_leaves_the_store_alone(self, store, tmp_path):
        """Closing a SQLite file by hand would drop the locks that this process holds on it."""
        (store.parent / "rides.csv").write_text("fare\n4.5\n")
        with tracknb.start_run() as run:
            tracknb.log_input(store.parent, context="all")
            with pytest.raises(InvalidValue, match="the store itself"):
                tracknb.log_input(store)
        [given] = tracknb.get_run(run.info.run_id).inputs.dataset_inputs
        assert given.dataset.profile == '{"num_bytes": 9}'

    def test_a_pipe_is_refused_at_once(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with tracknb.start_run(), pytest.raises(InvalidValue, match="pipe"):
            tracknb.log_input(tmp_path / "pipe")

    @pytest.mark.parametrize(
        "make",
        [
            lambda: tracknb.data.from_pandas(None),
            lambda: tracknb.data.from_pandas(RIDES, source=5),
            lambda: tracknb.data.from_numpy(None),
            lambda: tracknb.data.from_numpy([[1], [1, 2]]),
            lambda: tracknb.data.from_pandas(RIDES, source="http://[bad"),
        ],
    )
    def test_what_makes_no_dataset_is_refused_in_words(self, make):
        with pytest.raises(InvalidValue):
            make()

    def test_odd_frames_are_logged(self):
        frames = [
            pd.DataFrame({"d": pd.date_range("2026-01-01", periods=2), "v": [1, 2]}).pivot(columns="d", values="v"),
            pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")])),
            pd.DataFrame({"a": [[1, 2], {"b": 1}], "c": [1j, 2j]}),
        ]
        with tracknb.start_run() as run:
            for place, frame in enumerate(frames):
                tracknb.log_input(tracknb.data.from_pandas(frame, name=str(place)))
        assert [name for name, _ in datasets_of(run)] == ["0", "1", "2"]

    def test_an_evaluation_set_is_noted_beside_the_training_data(self):
        with tracknb.start_run() as run:
            tracknb.log_input(RIDES, context="training")
            tracknb.set_evaluation_set("march", RIDES)
            tracknb.set_evaluation_set("april")
        assert datasets_of(run) == [
            ("dataset", {"mlflow.data.context": "training"}),
            ("march", {"mlflow.data.context": "evaluation"}),
        ]
        assert "tracknb.evaluation_set.digest" not in tracknb.get_run(run.info.run_id).data.tags


@pytest.mark.usefixtures("store")
class TestNamesFromParams:
    def name(self, run):
        return tracknb.get_run(run.info.run_id).info.run_name

    def test_a_template_waits_for_its_params(self):
        with tracknb.start_run(run_name="{model} lr={lr:.2g}") as run:
            assert self.name(run) == "{model} lr={lr:.2g}"
            tracknb.log_param("model", "ridge")
            assert self.name(run) == "{model} lr={lr:.2g}"
            tracknb.log_param("lr", 0.123)
            assert self.name(run) == "ridge lr=0.12"

    def test_a_value_with_braces_is_no_template(self):
        with tracknb.start_run(run_name="{model}") as run:
            tracknb.log_params({"model": "{model} {x}", "x": "y"})
        assert self.name(run) == "{model} {x}"

    @pytest.mark.parametrize("name", ["{", "a {b", "{lr:.2g}", "{}", "{a.b!r}"])
    def test_what_is_no_template_stays_a_name(self, name):
        with tracknb.start_run(run_name=name) as run:
            tracknb.log_param("lr", "no number")
        assert self.name(run) == name

    def test_a_name_given_by_hand_stays(self):
        with tracknb.start_run(run_name="{model}") as run:
            tracknb.set_tag("mlflow.runName", "mine")
            tracknb.log_param("model", "ridge")
        assert self.name(run) == "mine"

    @pytest.mark.parametrize("value", ["", "   "])
    def test_a_name_that_cannot_be_does_not_fail_the_params(self, value):
        with tracknb.start_run(run_name="{model}") as run:
            tracknb.log_params({"model": value, "lr": 1})
        assert tracknb.get_run(run.info.run_id).data.params == {"model": value, "lr": "1"}
        assert self.name(run) == "{model}"

    def test_a_giant_width_is_no_template(self):
        with tracknb.start_run(run_name="{lr:300000000}") as run:
            tracknb.log_param("lr", 1)
        assert self.name(run) == "{lr:300000000}"

    def test_a_tracked_cell_is_named_by_its_params(self, shell):
        shell.run_cell(
            "%%track_run --name '{model} lr={lr}'\nimport tracknb\ntracknb.log_params({'model': 'ridge', 'lr': 0.1})"
        )
        assert [run.info.run_name for run in tracknb.search_runs(output_format="list")] == ["ridge lr=0.1"]
