"""The command line: one file per noun.

Everything a command needs is imported inside it, so that `signoff --help` starts at once.
"""

from bot.cli.root import app, main

__all__ = ["app", "main"]
