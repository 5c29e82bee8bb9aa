"""The manifest of the Slack app: what it may call, what it hears, and why; pure.

`manifest.yml` at the top of the repository is what this makes when nothing is asked for.
Format: https://docs.slack.dev/reference/app-manifest
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from bot.tokens import EVENT_TYPE, MY_APPROVALS

EVENTS_PATH = "/slack/events"
_NEW_APP = "https://api.slack.com/apps?new_app=1&manifest_yaml="


@dataclass(frozen=True, slots=True)
class Wish:
    """Scopes or events that the app asks for, and what for."""

    why: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppNeeds:
    """What this configuration needs beyond what every installation does.

    `url` is where Slack reaches the bot over HTTP (scheme and host, no path); None: Socket Mode.
    """

    url: str | None = None
    emails: bool = False  # people are named by e-mail address


_EMAILS = Wish("Find approvers and grants named by e-mail address.", ("users:read.email",))

_SCOPES = (
    Wish("Receive /checkpoints and /signoff.", ("commands",)),
    Wish(
        "Post and update cards, answer a person privately, in channels the bot was invited to.",
        ("chat:write",),
    ),
    Wish(
        "Who clicked: guest, external, bot and deactivated accounts decide nothing.",
        ("users:read",),
    ),
    Wish("Who belongs to a user group named as approver.", ("usergroups:read",)),
    Wish(
        "Whether a public channel is shared with another company, and whether the bot is in it.",
        ("channels:read",),
    ),
    Wish("The same for private channels the bot was invited to.", ("groups:read",)),
    Wish(
        "Tell one person in a direct message what became of a request, or that they are needed.",
        ("im:write",),
    ),
    Wish(
        "Learn where its own card ended up when Slack's reply was lost, without reading messages.",
        ("metadata.message:read",),
    ),
)

_EVENTS = (
    Wish("Somebody opened the Home tab: draw it for them.", ("app_home_opened",)),
    Wish(
        "A card was posted: makes one whose reply was lost known, so that it is kept up to date.",
        ("message_metadata_posted",),
    ),
    Wish(
        "A card was deleted by hand: one that still waits is posted again.",
        ("message_metadata_deleted",),
    ),
    Wish(
        "The bot was invited, or a channel came back: post now what could not be posted before.",
        ("member_joined_channel", "channel_unarchive", "group_unarchive", "channel_unshared"),
    ),
    Wish(
        "A channel is shared with another company now: no cards go there.",
        ("channel_shared",),
    ),
    Wish(
        "A channel was archived or deleted, or the bot removed: cards are held, and it is said.",
        (
            "channel_archive",
            "channel_deleted",
            "channel_left",
            "group_archive",
            "group_deleted",
            "group_left",
        ),
    ),
    Wish(
        "A channel has another name: a configured #name may mean another one now.",
        ("channel_rename", "group_rename"),
    ),
    Wish("A channel has another id: its cards are still ours.", ("channel_id_changed",)),
    Wish(
        "An account was deactivated or became a guest: forget what was cached about it.",
        ("user_change",),
    ),
    Wish("Somebody joined or left a user group that approves.", ("subteam_members_changed",)),
    Wish("A user group was changed or switched off.", ("subteam_updated",)),
)


def scopes(needs: AppNeeds) -> frozenset[str]:
    """The bot scopes that the app needs."""
    return frozenset(name for wish in _scopes(needs) for name in wish.names)


def creation_link(manifest: str) -> str:
    """The address at which Slack offers to make an app of this manifest."""
    bare = [line for line in manifest.splitlines() if not line.lstrip().startswith("#")]
    return _NEW_APP + quote("\n".join(bare), safe="")


def manifest_text(needs: AppNeeds) -> str:
    """The manifest as YAML, with a comment for everything it asks for."""
    return "".join(
        (
            _HEAD if needs.url is None else _HEAD_HTTP,
            _features(needs),
            _OAUTH,
            _listed(_scopes(needs)),
            _settings(needs),
        )
    )


def _scopes(needs: AppNeeds) -> tuple[Wish, ...]:
    return (*_SCOPES, _EMAILS) if needs.emails else _SCOPES


def _listed(wishes: Sequence[Wish]) -> str:
    lines = [
        line
        for wish in wishes
        for line in (f"      # {wish.why}", *(f"      - {name}" for name in wish.names))
    ]
    return "".join(f"{line}\n" for line in lines)


_HEAD = """\
# The Slack app, as https://api.slack.com/apps "Create New App -> From a manifest" takes it.
# Two things remain by hand: an app-level token (xapp-) with `connections:write` for Socket Mode,
# and inviting the bot to the channels it posts to (/invite @Signoff).
# `signoff manifest` prints this file, or the one that fits another configuration.
"""
_HEAD_HTTP = """\
# The Slack app, as https://api.slack.com/apps "Create New App -> From a manifest" takes it.
# One thing remains by hand: inviting the bot to the channels it posts to (/invite @Signoff).
"""
_OAUTH = """
oauth_config:
  scopes:
    # No user scopes and no history: Signoff cannot read what people write.
    bot:
"""


def _features(needs: AppNeeds) -> str:
    url = "" if needs.url is None else f"      url: {needs.url}{EVENTS_PATH}\n"
    return f"""\
_metadata:
  major_version: 1

display_information:
  name: Signoff
  description: Approve and reject paused DAG checkpoints from Slack.
  background_color: "#1f2a37"

features:
  bot_user:
    display_name: Signoff
    always_online: true
  app_home:
    # What waits for whoever opens it, and what they asked for and decided.
    home_tab_enabled: true
    # Direct messages: the outcome of a run, or that somebody is needed. Nobody answers there.
    messages_tab_enabled: true
    messages_tab_read_only_enabled: true
  shortcuts:
    - name: My approvals
      type: global
      callback_id: {MY_APPROVALS}
      description: See what waits for you, and decide.
  slash_commands:
    - command: /checkpoints
      description: See the checkpoints that wait, and what you may decide.
      usage_hint: "[list|mine|show ID|review ID|history|stats|help]"
{url}      # @names and #channels arrive as ids, so nobody is found by a name that can change.
      should_escape: true
    - command: /signoff
      description: Start a run of a DAG, see runs, delegate, who you are to Signoff.
      usage_hint: "[run DAG key=value ...|runs|delegate @NAME until ...|whoami|doctor|help]"
{url}      # Whom somebody delegates to arrives as an id; parameters of a run are turned back.
      should_escape: true
"""


def _settings(needs: AppNeeds) -> str:
    url = "" if needs.url is None else f"    request_url: {needs.url}{EVENTS_PATH}\n"
    return f"""
settings:
  interactivity:
    is_enabled: true
{url}  event_subscriptions:
{url}    bot_events:
{_listed(_EVENTS)}\
    metadata_subscriptions:
      # '*' because the app has no id before it exists; put yours (A...) here to hear only it.
      # Signoff itself ignores what another app posted.
      - app_id: "*"
        event_type: {EVENT_TYPE}
  org_deploy_enabled: false
{_SOCKET if needs.url is None else _NO_SOCKET}\
  token_rotation_enabled: false
"""


_SOCKET = """\
  # No public URL: the bot opens a socket to Slack.
  socket_mode_enabled: true
"""
_NO_SOCKET = """\
  # Slack calls the bot at the URLs above.
  socket_mode_enabled: false
"""
