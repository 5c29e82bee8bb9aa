"""Which page of the past a button leads to. It comes back from Slack and is read strictly."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from bot.tokens import ListState, parse_list_state
from engine import CheckpointState, Mark, RunState

_MOST_VALUE = 2_000  # characters of a button value
_USER = re.compile(r"[UW][A-Z0-9]{1,31}")
_ROW = re.compile(r"(?:cp|run)_[0-9a-z]{1,40}")


class PastKind(StrEnum):
    """What of the past is looked at."""

    HISTORY = "history"  # checkpoints that ended
    RUNS = "runs"
    STATS = "stats"


STATES: Mapping[PastKind, tuple[str, ...]] = {
    PastKind.HISTORY: tuple(s.value for s in CheckpointState if s is not CheckpointState.PENDING),
    PastKind.RUNS: tuple(state.value for state in RunState),
    PastKind.STATS: (),
}
"""The states that each can be narrowed to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastState:
    """Which page of which past. `by` is a Slack user's id: who answered, or asked for the run."""

    kind: PastKind
    tenant: str | None = None
    dag: str | None = None
    state: str | None = None
    by: str | None = None
    since: datetime | None = None
    cursor: Mark | None = None

    def __str__(self) -> str:
        cursor = self.cursor and [self.cursor.at.isoformat(), self.cursor.id]
        since = self.since and self.since.isoformat()
        return json.dumps(
            [self.kind.value, self.tenant, self.dag, self.state, self.by, since, cursor],
            ensure_ascii=False,
            separators=(",", ":"),
        )


PageState = ListState | PastState


def parse_page_state(text: object) -> PageState | None:
    """Read the value of Refresh or Next; None when it is not one."""
    return parse_list_state(text) or _past_state(text)


def _past_state(text: object) -> PastState | None:
    match _json(text):
        case [
            str(kind),
            str() | None as tenant,
            str() | None as dag,
            state,
            by,
            since,
            cursor,
        ] if kind in set(PastKind):
            pass
        case _:
            return None
    after, begins = _mark(cursor), _instant(since)
    broken = (cursor is not None and after is None) or (since is not None and begins is None)
    if broken or not _is_state(PastKind(kind), state) or not _is_user(by):
        return None
    return PastState(
        kind=PastKind(kind), tenant=tenant, dag=dag, state=state, by=by, since=begins, cursor=after
    )


def _is_state(kind: PastKind, state: object) -> bool:
    return state is None or state in STATES[kind]


def _is_user(by: object) -> bool:
    return by is None or (isinstance(by, str) and _USER.fullmatch(by) is not None)


def _mark(stored: object) -> Mark | None:
    match stored:
        case [at, str(row_id)] if _ROW.fullmatch(row_id):
            instant = _instant(at)
            return None if instant is None else Mark(instant, row_id)
        case _:
            return None


def _instant(stored: object) -> datetime | None:
    if not isinstance(stored, str):
        return None
    try:
        at = datetime.fromisoformat(stored)
        return None if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _json(text: object) -> Any:
    if not isinstance(text, str) or len(text) > _MOST_VALUE:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
