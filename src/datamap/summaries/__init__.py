"""Observations → one row per sample, and how far several runs agree. Imports `errors`, `schema` and `signals`."""
