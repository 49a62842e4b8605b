"""Reduce observations to one row per sample, and tell how far several runs agree."""
