"""Signoff, measured through its public face. Each script is a process of its own, as a peer's."""
