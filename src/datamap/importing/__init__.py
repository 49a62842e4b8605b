"""Foreign files of signals. Imports `errors`, `schema` and `signals`."""
