"""Everything that imports Paddle, and what is trained besides the run itself.

Imports `data`, `errors`, `log`, `schema` and `signals`.
"""
