"""Turn a model's outputs into signals, shards and arrays."""
