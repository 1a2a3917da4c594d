"""MLflow is the judge: the same calls under its client and ours give the same answers."""
