"""Model outputs → signals → shards → arrays. Imports `errors` and `schema`."""
