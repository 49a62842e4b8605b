"""Summary → figures and the explorer. Imports `errors`, `schema` and `translations`."""
