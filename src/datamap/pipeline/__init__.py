"""Run the steps on a run, without Hydra and without a terminal."""
