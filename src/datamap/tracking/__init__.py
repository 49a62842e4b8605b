"""Call MLflow: stores, runs, artifacts, the outbox."""
