"""Which labels are wrong: scores, the report and the rules that act on it.

Imports `errors`, `schema`, `translations` and `signals`.
"""
