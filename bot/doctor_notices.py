"""What `doctor` says in Slack: to Admins what is wrong, where and why; to others in short."""

from collections.abc import Iterator
from dataclasses import dataclass

from bot.literal import cut, one_line
from bot.notices import standing_still
from bot.wording import Explanation, Line, Moment
from engine import Ailments, BackendStatus, Delivery

_MOST_LISTED = 10
_MOST_ERROR = 200


@dataclass(frozen=True, slots=True)
class Here:
    """How the bot itself is that answers."""

    host: str
    clock: str | None = None  # why it is not believed
    connections: tuple[int, int] | None = None  # to Slack: open, and wanted; None over HTTP

    @property
    def is_thin(self) -> bool:
        """Whether fewer connections are open than are wanted."""
        return self.connections is not None and self.connections[0] < self.connections[1]


def for_admins(found: Ailments, here: Here) -> Explanation:
    """Everything that is wrong, each with what to do."""
    lines = [
        *_whole(found, here),
        *_deliveries("given up", found.given_up),
        *_deliveries("held, and tried again", found.held),
    ]
    if found.others:
        lines.append((f"{_things(found.others)} of other tenants could not be told.",))
    if not lines:
        return _fine()
    return Explanation(
        "Something is wrong",
        tuple(lines),
        "signoff doctor, where Signoff runs, looks at settings and tokens, too.",
    )


def for_others(found: Ailments, here: Here) -> Explanation:
    """Whether anything is wrong, without what is none of the reader's business."""
    lines: list[Line] = [] if found.standstill is None else [_standing(found)]
    if found.troubled:
        lines.append((f"{_things(found.troubled)} could not be told to Slack so far.",))
    unwell = here.clock is not None or here.is_thin or found.unreachable
    if unwell or not found.has_worker:
        lines.append(("Part of Signoff, or of what it talks to, is not well.",))
    if not lines:
        return _fine()
    return Explanation("Something is wrong", tuple(lines), "Tell an Admin.")


def _fine() -> Explanation:
    return Explanation("All is fine", (("Nothing is held, and nothing stands still.",),))


def _whole(found: Ailments, here: Here) -> Iterator[Line]:
    if found.standstill is not None:
        yield _standing(found)
    if here.clock is not None:
        yield (f"The clock is not believed: {cut(one_line(here.clock), _MOST_ERROR)}",)
    if here.connections is not None and here.is_thin:
        opened, wanted = here.connections
        yield (f"{opened} of {wanted} connections to Slack are open: clicks may get lost.",)
    if not found.has_worker:
        yield (f"No worker runs on {one_line(here.host)}: runs there do not go on.",)
    for backend in found.unreachable[:_MOST_LISTED]:
        yield _backend(backend)
    if found.reviews.oldest is not None:
        count = found.reviews.count
        waits = "1 review waits" if count == 1 else f"{count} reviews wait"
        yield (f"{waits} for a signature, ", Moment(found.reviews.oldest, "the oldest since "))


def _standing(found: Ailments) -> Line:
    if found.standstill is None:
        raise AssertionError("nothing stands still")
    began, stopped, until = standing_still(found.standstill)
    return (began, f" {stopped}. {until}.")


def _backend(backend: BackendStatus) -> Line:
    error = cut(one_line(backend.error or ""), _MOST_ERROR)
    said = f"{one_line(backend.name)} cannot be reached: {error}"
    since = backend.error_since
    return (said,) if since is None else (said, Moment(since, " (since ", ")"))


def _deliveries(how: str, found: tuple[Delivery, ...]) -> Iterator[Line]:
    for one in found[:_MOST_LISTED]:
        error = cut(one_line(one.error or ""), _MOST_ERROR)
        yield (f"{one.kind.value} of {one.checkpoint_id} is {how}: {error}",)
    if len(found) > _MOST_LISTED:
        yield (f"and {len(found) - _MOST_LISTED} more {how}",)


def _things(count: int) -> str:
    return "1 thing" if count == 1 else f"{count} things"
