"""The names that MLflow's users import from ``mlflow.tracking``."""

from tracknb.client import TrackingClient
from tracknb.fluent import get_tracking_uri, is_tracking_uri_set, set_tracking_uri

MlflowClient = TrackingClient

__all__ = ["MlflowClient", "TrackingClient", "get_tracking_uri", "is_tracking_uri_set", "set_tracking_uri"]
