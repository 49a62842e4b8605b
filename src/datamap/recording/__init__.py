"""Signals from other people's training loops. Imports `errors`, `schema`, `signals`, `summaries` and `tracking`."""
