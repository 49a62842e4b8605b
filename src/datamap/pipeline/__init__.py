"""The steps on a run, callable without Hydra and without a terminal."""
