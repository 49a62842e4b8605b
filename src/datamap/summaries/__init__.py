"""Reduce observations to one row per sample, write and read summary.tsv, and compare summaries."""
