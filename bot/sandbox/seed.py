"""The made-up workspace people find in the sandbox, and the made-up credentials to reach it."""

from bot.sandbox.values import Channel, Group, Team, User

# None of these open anything but a sandbox on loopback.
BOT_TOKEN = "xoxb-sandbox"  # noqa: S105
APP_TOKEN = "xapp-sandbox"  # noqa: S105
SIGNING_SECRET = "sandbox-signing-secret"  # noqa: S105
VERIFICATION_TOKEN = "sandbox-verification-token"  # noqa: S105

TEAM = Team(id="T0SANDBOX", name="Sandbox", domain="sandbox")
OTHER_TEAM = Team(id="T0OTHER", name="Other Corp", domain="other-corp")
APP_ID = "A0SIGNOFF"
BOT_ID = "B0SIGNOFF"
BOT_USER = "U0SIGNOFF"


def _user(user_id: str, name: str, real_name: str, **facts: bool | str) -> User:
    given = {"email": f"{name}@sandbox.example", "team_id": TEAM.id, **facts}
    return User(id=user_id, name=name, real_name=real_name, **given)  # type: ignore[arg-type]


def users() -> list[User]:
    """Return everybody: three roles, a stranger to the map, and all who must not decide."""
    return [
        _user("U0ANA", "ana", "Ana Admin", is_admin=True),
        _user("U0BOB", "bob", "Bob Operator", tz="America/New_York"),
        _user("U0OLA", "ola", "Ola Operator", tz="Africa/Lagos"),
        _user("U0VIC", "vic", "Vic Viewer", tz="Asia/Tokyo"),
        _user("U0NIA", "nia", "Nia Newcomer"),
        _user("U0GUS", "gus", "Gus Guest", is_restricted=True, is_ultra_restricted=True),
        _user(
            "U0EVE",
            "eve",
            "Eve External",
            email="eve@other.example",
            team_id=OTHER_TEAM.id,
            is_stranger=True,
        ),
        _user("U0DEL", "del", "Del Departed", deleted=True),
        _user("U0BOT", "deploybot", "Deploy Bot", is_bot=True),
        _user(BOT_USER, "signoff", "Signoff", is_bot=True),
    ]


def groups() -> list[Group]:
    """Return the user groups."""
    return [
        Group(
            id="S0RELEASE",
            handle="release-admins",
            name="Release admins",
            users=("U0ANA", "U0OLA"),
        )
    ]


def channels() -> list[Channel]:
    """Return the channels; the app's bot is a member of #approvals and #partners only."""
    colleagues = {"U0ANA", "U0BOB", "U0OLA", "U0VIC", "U0NIA", "U0BOT"}
    everyone = frozenset(colleagues | {"U0GUS"})
    return [
        Channel(id="C0APPROVE", name="approvals", members=everyone | {BOT_USER}),
        Channel(id="C0GENERAL", name="general", members=frozenset(colleagues)),
        Channel(
            id="C0SHARED",
            name="partners",
            members=everyone | {"U0EVE", BOT_USER},
            is_ext_shared=True,
        ),
        Channel(id="C0ARCH", name="old-releases", members=everyone | {BOT_USER}, is_archived=True),
    ]
