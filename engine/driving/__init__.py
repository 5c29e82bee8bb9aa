"""Driving runs: `worker` finds them, `runner` drives one, under a lease.

A driver decides by its `course` (the `frontier` of the graph, kept up to date), lets its
`crew` work in a `workplace`, and writes one transaction a turn (`advance`).
"""
