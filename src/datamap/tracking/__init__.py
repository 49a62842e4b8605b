"""Every call to MLflow: stores, runs, artifacts. Imports `errors` and `schema`."""
