"""DAGs that were exported, run for real by the engines they were exported to.

Not part of `make test`: `make test-engines` makes an environment for each engine and runs these.
"""
