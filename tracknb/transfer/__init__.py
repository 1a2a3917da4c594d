"""Runs that come from other trackers: reading their stores, and taking what is there into one of ours."""

from tracknb.transfer.mlflow import import_mlflow
from tracknb.transfer.summary import ImportSummary

__all__ = ["ImportSummary", "import_mlflow"]
