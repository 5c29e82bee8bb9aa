"""What `signoff doctor` says of the key for audit heads, and of where they are kept."""

from collections.abc import Iterator

from bot.audit_settings import AuditSettings
from bot.cli.findings import Check, Status
from engine import InvalidSettings, load_head_key

_NO_KEY = "none: heads are not signed, and rows cut off at the end of the trail go unnoticed"
_NO_ANCHOR = "signed heads are kept in the database only: who can write it can remove them"


def audit_checks(settings: AuditSettings) -> Iterator[Check]:
    """Whether heads are signed and kept elsewhere."""
    try:
        key = load_head_key(settings.key)
    except InvalidSettings as error:
        yield Check("audit key", Status.FAIL, str(error), "`signoff serve` does not start with it")
        return
    if key is None:
        yield Check("audit key", Status.WARN, _NO_KEY, "`signoff audit key --make` makes one")
        return
    yield Check("audit key", Status.OK, f"{key.public.id}, in {settings.key}")
    anchors = (settings.anchor_file, settings.anchor_syslog, settings.anchor_channel)
    named = [str(anchor) for anchor in anchors if anchor is not None]
    if named:
        yield Check("audit anchor", Status.OK, ", ".join(named))
    else:
        advice = "set SIGNOFF_AUDIT_ANCHOR_FILE, _SYSLOG or _CHANNEL"
        yield Check("audit anchor", Status.WARN, _NO_ANCHOR, advice)
