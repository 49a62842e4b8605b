"""Talk to MLflow: stores, runs, artifacts, the outbox."""
