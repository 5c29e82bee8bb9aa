"""Measures Signoff against other engines: the same graphs, on one machine, in one run."""
