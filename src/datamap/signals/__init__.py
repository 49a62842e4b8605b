"""Compute signals from a model's outputs, keep them in shards, and read them back as arrays."""
