"""Labeled texts from files. Imports `errors` and `schema`."""
