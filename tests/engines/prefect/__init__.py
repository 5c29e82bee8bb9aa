"""Exported flows on a real Prefect, in an environment of its own."""
