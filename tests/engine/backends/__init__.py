"""Adapters of engines elsewhere, on servers that answer as those engines do."""
