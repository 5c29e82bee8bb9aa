"""Engines elsewhere whose gates we ask people about: one adapter each, of the `Backend` port."""
