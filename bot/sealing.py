"""Signing audit heads beside the rest of the bot: the jobs, as far as there is a key."""

import logging
from collections.abc import Sequence

from bot.anchors import FileAnchor, SlackAnchor, SyslogAnchor
from bot.audit_settings import AuditSettings
from bot.slack import Slack
from engine import Anchor, Anchoring, Heartbeat, Sealer, Store, load_head_key

log = logging.getLogger(__name__)


def sign_heads(store: Store, settings: AuditSettings, heartbeat: Heartbeat) -> None:
    """Sign on each tick what is due, and bring it to a file and a syslog.

    Raises `InvalidSettings` for a key that cannot be used; without one, says so in the log.
    """
    key = load_head_key(settings.key)
    if key is None:
        log.warning("audit heads are not signed: there is no key (`signoff audit key --make`)")
        return
    heartbeat.every_tick("audit heads", Sealer(store, key, settings.every).sweep)
    anchors: list[Anchor] = []
    if settings.anchor_file is not None:
        anchors.append(FileAnchor(settings.anchor_file))
    if settings.anchor_syslog is not None:
        anchors.append(SyslogAnchor(settings.anchor_syslog))
    _bring(store, heartbeat, anchors)


def anchor_in_slack(
    store: Store, settings: AuditSettings, slack: Slack, heartbeat: Heartbeat
) -> None:
    """Bring what was signed to a channel, too, where one is named."""
    if settings.anchor_channel is not None:
        _bring(store, heartbeat, [SlackAnchor(slack, settings.anchor_channel)])


def _bring(store: Store, heartbeat: Heartbeat, anchors: Sequence[Anchor]) -> None:
    for anchor in anchors:
        heartbeat.every_tick(f"anchor in {anchor.name}", Anchoring(store, anchor).sweep)
