"""What Slack can tell us, each kind in a file of its own. Listeners parse, ask, ack, explain."""

from slack_bolt.app.async_app import AsyncApp

from bot.desk import Desk
from bot.homes import Homes
from bot.listeners import (
    actions,
    commands,
    crowds,
    events,
    glass,
    home,
    live_check,
    notifications,
    one_tap,
    several,
    starting,
    submissions,
)


def register(app: AsyncApp, desk: Desk, homes: Homes) -> None:
    """Tie every listener to the app."""
    actions.register(app, desk)
    one_tap.register(app, desk)
    submissions.register(app, desk)
    glass.register(app, desk)
    several.register(app, desk)
    commands.register(app, desk)
    crowds.register(app, desk)
    notifications.register(app, desk)
    starting.register(app, desk)
    live_check.register(app, desk)
    events.register(app, desk)
    home.register(app, desk, homes)
