"""The errors under the names that MLflow's users import; ``errors`` has tracknb's own."""

from tracknb.errors import TracknbError

MlflowException = RestException = TracknbError

__all__ = ["MlflowException", "RestException"]
