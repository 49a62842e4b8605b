"""The review of a run's samples: a server on loopback, what it keeps of each decision, and what decisions teach."""
