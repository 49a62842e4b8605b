"""Train in our own process: preparation, extra trainings, workers, and what becomes of observations."""
