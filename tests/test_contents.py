"""Tables, images and other contents that are logged as files."""

from __future__ import annotations

import io
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
import pytest

import tracknb
from tracknb.errors import InvalidValue, NotFound

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture
def run():
    with tracknb.start_run() as run:
        yield run


def paths(run):
    return [item.path for item in tracknb.list_artifacts(run.info.run_id)]


def opened(run, path):
    return PIL.Image.open(tracknb.download_artifacts(run.info.run_id, path))


class TestTables:
    def test_values_come_back_as_they_were(self, run):
        rows = {
            "text": ["001", "é\n'\"", None],
            "number": [1.5, math.nan, 2.0],
            "whole": [1, 2, 3],
            "date": ["2026-01-01"] * 3,
        }
        tracknb.log_table(rows, "rows.json")
        back = tracknb.load_table("rows.json", [run.info.run_id])

        assert back["text"].tolist()[:2] == ["001", "é\n'\""]
        assert back["text"].isna().tolist() == [False, False, True]
        assert back["whole"].tolist() == [1, 2, 3]
        assert back["date"].tolist() == ["2026-01-01"] * 3
        assert back["number"].isna().tolist() == [False, True, False]

    def test_numbers_come_back_exactly_also_after_more_rows(self, run):
        numbers = [0.1 + 0.2, 1 / 3, math.inf, -math.inf, 5e-324, 1.7976931348623157e308]
        tracknb.log_table({"x": numbers, "whole": [2**53 + 1, 2**62 + 1, None, -1, 0, 7]}, "a.json")
        tracknb.log_table({"y": [1]}, "a.json")
        back = tracknb.load_table("a.json")

        assert back["x"].tolist()[:6] == numbers
        assert back["whole"].tolist()[:2] == [2**53 + 1, 2**62 + 1]
        assert back["whole"].isna().tolist() == [False, False, True, False, False, False, True]

    def test_times_come_back_to_the_microsecond(self, run):
        moment = pd.Timestamp("2026-01-02 03:04:05.123456")
        tracknb.log_table({"t": [moment, pd.NaT]}, "a.json")
        assert pd.Timestamp(tracknb.load_table("a.json")["t"][0]) == moment

    @pytest.mark.parametrize("value", [object(), b"x", {1: 2}])
    def test_a_value_that_would_not_come_back_is_refused(self, run, value):
        with pytest.raises(InvalidValue, match="JSON cannot keep"):
            tracknb.log_table({"x": [value]}, "a.json")
        assert paths(run) == []

    def test_a_foreign_note_of_tables_does_no_harm(self, run):
        tracknb.set_tag("mlflow.loggedArtifacts", "oops")
        tracknb.log_table({"x": [1]}, "a.json")
        assert tracknb.load_table("a.json")["x"].tolist() == [1]

    def test_rows_of_several_threads_are_all_there(self, run):
        def add(number):
            tracknb.log_table({"n": [number]}, "deep/rows.json", run.info.run_id)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(add, range(24)))
        assert sorted(tracknb.load_table("deep/rows.json")["n"]) == list(range(24))

    def test_tables_of_several_runs_come_one_below_the_other(self):
        for number in range(3):
            with tracknb.start_run(run_name=f"r{number}"):
                tracknb.log_param("lr", number)
                tracknb.log_table({"run_id": [number]}, "rows.json")
        table = tracknb.load_table("rows.json", extra_columns=["params.lr", "run_id"])

        assert set(zip(table["run_id"], table["params.lr"], strict=True)) == {(0, "0"), (1, "1"), (2, "2")}
        assert table["run_id_"].nunique() == 3

    def test_one_row_of_plain_values_is_a_table(self, run):
        tracknb.log_table({"question": "why", "score": 1}, "rows.json")
        assert tracknb.load_table("rows.json").to_dict("records") == [{"question": "why", "score": 1}]

    @pytest.mark.parametrize(
        ("rows", "name", "told"),
        [
            ([1, 2], "a.json", "DataFrame or a dictionary, not list"),
            ({"a": [1]}, "a.csv", r"\.json or \.parquet"),
            (pd.DataFrame([[1, 2]], columns=["a", "a"]), "a.json", "names that differ"),
        ],
    )
    def test_what_is_no_table_is_refused(self, run, rows, name, told):
        with pytest.raises(InvalidValue, match=told):
            tracknb.log_table(rows, name)
        assert paths(run) == []

    def test_a_file_that_is_no_table_stays_and_is_told(self, run):
        tracknb.log_text("{", "a.json")
        with pytest.raises(InvalidValue, match="holds no table"):
            tracknb.log_table({"a": [1]}, "a.json")
        assert Path(tracknb.download_artifacts(run.info.run_id, "a.json")).read_text() == "{"

    def test_a_table_that_no_run_has_is_told(self, run):
        with pytest.raises(NotFound, match=r"has the table 'absent\.json'"):
            tracknb.load_table("absent.json")
        tracknb.log_table({"a": [1]}, "a.json")
        with pytest.raises(InvalidValue, match=r"no column 'params\.x'"):
            tracknb.load_table("a.json", extra_columns=["params.x"])


class TestImages:
    @pytest.mark.parametrize(
        ("pixels", "expected"),
        [
            (np.full((2, 3), 128, "uint8"), 128),
            (np.full((2, 3, 1), 128, "int64"), 128),
            (np.full((2, 3), 0.5), 127),
            (np.array([[False, True]]), 0),
            (np.array([[-1.0, 3.0]]), 0),
            ([[7, 8], [9, 10]], 7),
        ],
    )
    def test_numbers_become_pixels(self, run, pixels, expected):
        tracknb.log_image(pixels, "a.png")
        assert np.asarray(opened(run, "a.png")).flat[0] == expected

    def test_colours_stay(self, run):
        pixels = np.arange(24, dtype="uint8").reshape(2, 4, 3)
        tracknb.log_image(pixels, "folder/a.png")
        assert (np.asarray(opened(run, "folder/a.png")) == pixels).all()

    def test_a_series_has_files_that_tell_their_step(self, run):
        for step in (0, 7):
            tracknb.log_image(PIL.Image.new("RGB", (600, 300)), key="val/masks", step=step, timestamp=5)
        names = [item.path for item in tracknb.list_artifacts(run.info.run_id, "images")]
        whole = sorted(name.rpartition("+")[0] for name in names if name.endswith(".png"))

        assert whole == ["images/val~masks+step+0+timestamp+5", "images/val~masks+step+7+timestamp+5"]
        assert len(names) == 4
        small = next(name for name in names if name.endswith(".webp"))
        assert opened(run, small).size == (256, 128)
        assert tracknb.get_run(run.info.run_id).data.tags["mlflow.loggedImages"] == "True"

    @pytest.mark.parametrize(
        ("image", "named", "told"),
        [
            (np.zeros((2, 2, 5)), {"artifact_file": "a.png"}, r"shape \(2, 2, 5\)"),
            (np.array([["x"]]), {"artifact_file": "a.png"}, "no|not"),
            (np.zeros((0, 2)), {"artifact_file": "a.png"}, "shape"),
            (np.array([[256]]), {"artifact_file": "a.png"}, "from 256 to 256"),
            (np.array([[np.nan]]), {"artifact_file": "a.png"}, "NaN"),
            (np.zeros((2, 2)), {"artifact_file": "a.txt"}, "ending of an image"),
            (np.zeros((2, 2)), {}, "one of the two"),
            (np.zeros((2, 2)), {"artifact_file": "a.png", "step": 1}, "one of the two"),
            (np.zeros((2, 2)), {"key": "../x+y"}, "refused"),
        ],
    )
    def test_what_is_no_image_is_refused(self, run, image, named, told):
        with pytest.raises(InvalidValue, match=told):
            tracknb.log_image(image, **named)
        assert paths(run) == []


def test_a_stream_is_kept_from_where_it_stands(run):
    stream = io.BytesIO(b"header-body")
    stream.read(7)
    tracknb.log_stream(stream, "body.bin")
    assert Path(tracknb.download_artifacts(run.info.run_id, "body.bin")).read_bytes() == b"body"


class TestEntities:
    def test_a_run_prints_what_tells_it_from_others(self):
        with tracknb.start_run(run_name="ridge") as run:
            tracknb.log_param("lr", 0.1)
            tracknb.log_metric("rmse", 4.2)
        shown = repr(tracknb.get_run(run.info.run_id))
        assert shown == f"<Run 'ridge' FINISHED; metrics: rmse=4.2; params: lr=0.1; run_id={run.info.run_id}>"

    def test_hostile_texts_stay_texts_in_html(self):
        with tracknb.start_run(run_name="<script>alert(1)</script>") as run:
            tracknb.set_tag("t", "<img src=x onerror=alert(1)>" * 50)
        for entity in (tracknb.get_run(run.info.run_id), tracknb.get_run(run.info.run_id).data):
            shown = entity._repr_html_()
            assert "<script" not in shown
            assert "<img" not in shown
        assert "&lt;script&gt;" in tracknb.get_run(run.info.run_id)._repr_html_()


def test_a_deleted_run_takes_no_files(run):
    client = tracknb.MlflowClient()
    client.delete_run(run.info.run_id)
    for log in (
        lambda: client.log_text(run.info.run_id, "x", "a.txt"),
        lambda: client.log_table(run.info.run_id, {"a": [1]}, "a.json"),
        lambda: client.log_image(run.info.run_id, np.zeros((2, 2)), key="k"),
    ):
        with pytest.raises(InvalidValue, match="is deleted"):
            log()
    assert paths(run) == []
