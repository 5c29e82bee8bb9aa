"""A local Slack on loopback: its Web API, Socket Mode, people and page, for demo and tests."""

from bot.sandbox.person import CannotDo, NeverSeen, Person, Result
from bot.sandbox.server import Sandbox

__all__ = ["CannotDo", "NeverSeen", "Person", "Result", "Sandbox"]
