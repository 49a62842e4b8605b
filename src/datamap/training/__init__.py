"""A training in our own process: its preparation, extra trainings, workers, and what becomes of observations."""
