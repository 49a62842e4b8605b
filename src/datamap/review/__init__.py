"""Review a run's samples: a local web server, the storage of decisions, and estimates based on them."""
