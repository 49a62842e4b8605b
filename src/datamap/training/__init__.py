"""Everything that imports Paddle, and what is trained besides the run itself.

Imports `errors`, `schema` and `signals`.
"""
