"""Prefect 3 as a backend: paused and suspended flow runs are its gates.

Prefect does not say who resumed a run. So we leave a mark with a run that still waits, right before
we resume it, as one more input that no flow asks for. What became of the run is ours when our mark
is there and the answer that Prefect stored, if the flow asked for one, is the one we gave.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from engine.backends.http import Session
from engine.backends.prefect_api import Api, PrefectKey
from engine.backends.prefect_documents import (
    CANCELLED,
    CANCELLING,
    State,
    Verdict,
)
from engine.backends.prefect_forms import (
    Asked,
    Form,
    content_of,
    is_same,
    says,
    unfit,
)
from engine.backends.prefect_gates import Trail, run_state, trail_of
from engine.backends.prefect_waiting import PausedRuns, asked_at
from engine.clock import Clock
from engine.errors import BackendDenied, BackendUnreachable
from engine.gates import (
    Answered,
    BackendKind,
    Declined,
    Found,
    GateRef,
    Gone,
    Health,
    Reply,
    RunThere,
    Taken,
    Told,
    TooLate,
    WaitingGate,
    Waits,
)
from engine.model import RunState

_PROVEN = "3.9"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Prefect:
    """A Prefect 3 server, or a workspace of Prefect Cloud. Fills the `Backend` port."""

    kind = BackendKind.PREFECT

    def __init__(
        self,
        name: str,
        url: str,
        *,
        key: PrefectKey | None,
        clock: Clock,
        ca_file: str | None = None,
    ) -> None:
        """`url` is the address of the API, such as `http://127.0.0.1:4200/api`."""
        self.name = name
        self._url = url.rstrip("/")
        self._has_key = key is not None
        self._session = Session(name, url, clock, ca_file)
        self._api = Api(name, self._session, key)
        self._paused = PausedRuns(self._api, self._session, clock, self._url)

    def __repr__(self) -> str:
        return f"Prefect({self.name!r}, {self._url!r})"

    async def waiting(self) -> Sequence[WaitingGate]:
        """Every paused flow run, but those that have not yet said what they ask."""
        return await self._paused.gates()

    async def look(self, ref: GateRef, reply: Reply | None) -> Found:
        """How a gate stands.

        Of a gate without a form Prefect stores no answer: there our mark alone tells. It errs when
        our resumption never arrived and somebody else resumed the same run before it was tried
        again, which comes to the same.
        """
        run = await self._api.run(ref.run)
        if run is None:
            return Gone("the run was deleted")
        if run.state is not None and run.state.id == ref.key:
            return Waits()
        trail = trail_of(ref.key, await self._api.states(ref.run))
        if trail is None:
            return Gone("the run does not know of it any more")
        return await self._answered(ref, reply, trail) if trail.was_resumed else trail.gone()

    async def answer(self, ref: GateRef, reply: Reply) -> Told:
        """Resume the flow run, or cancel it when the reply withdraws the gate.

        Prefect resumes runs, not pauses: so the run is looked at right before.
        """
        run = await self._api.run(ref.run)
        pause = run.pause() if run is not None else None
        if pause is None or pause.id != ref.key:
            return TooLate()
        if reply.withdraws:
            return await self._withdraw(ref, pause, reply)
        asked = await asked_at(self._api, ref.run, pause)
        if pause.keyset is not None and asked is None:
            return Declined("The flow has not told Prefect yet what it asks.")
        form = asked.form if asked is not None else Form()
        if (why := unfit(form, reply)) is not None:
            return Declined(why)
        await self._api.keep(ref.run, _mark(ref, reply), {"by": reply.by, "reason": reply.reason})
        return self._told(ref, await self._api.resume(ref.run, content_of(form, reply)))

    async def run(self, ref: GateRef) -> RunThere | None:
        """How the flow run stands; None when it is not there any more."""
        run = await self._api.run(ref.run)
        if run is None:
            return None
        state = run_state(run.state)
        failed = await self._api.failed_task(ref.run) if state is RunState.FAILED else None
        return RunThere(state, failed)

    async def check(self) -> Health:
        """Whether it can be used. Whether we may answer cannot be told without answering."""
        version = await self._api.version()
        is_healthy = await self._api.is_healthy()
        try:
            await self._api.paused(None, 0, 1)
            may_list = True
        except BackendDenied:
            may_list = False
        warnings = warnings_of(version, self._url, has_key=self._has_key)
        return Health(
            version=version,
            account="",
            may_list=may_list,
            may_answer=None,
            skew=self._session.skew,
            warnings=warnings if is_healthy else ("It says itself that it is not well.", *warnings),
        )

    async def close(self) -> None:
        """End the session."""
        await self._session.close()

    async def _answered(self, ref: GateRef, reply: Reply | None, trail: Trail) -> Answered:
        asked = None if trail.asked_again else await asked_at(self._api, ref.run, trail.pause)
        went_on = trail.went_on
        if went_on is not True and not trail.pause.is_suspended:
            is_awake = await self._api.is_awake(ref.run, trail.next.timestamp)
            went_on = True if is_awake else went_on
        return Answered(
            is_ours=reply is not None and await self._is_ours(ref, reply, asked),
            went_on=went_on,
            said=says(asked.response if asked is not None and asked.response is not None else {}),
            at=self._session.on_our_clock(trail.next.timestamp),
            found="" if went_on else trail.standing,
        )

    async def _is_ours(self, ref: GateRef, reply: Reply, asked: Asked | None) -> bool:
        if asked is not None and not is_same(content_of(asked.form, reply), asked.response or {}):
            return False
        mark = _mark(ref, reply)
        kept = await self._api.inputs(ref.run, mark)
        return any(one.key == mark for one in kept)

    async def _withdraw(self, ref: GateRef, pause: State, reply: Reply) -> Told:
        """Cancel the flow run.

        A suspended run has nothing to stop. The process of a paused one is to be stopped by
        its runner, which looks only at runs that are being cancelled: it would wait until its
        time is up otherwise.
        """
        kind = CANCELLED if pause.is_suspended else CANCELLING
        verdict = await self._api.set_state(ref.run, kind, _note(reply))
        state = verdict.state if verdict is not None else None
        is_cancelled = state is not None and state.type in (CANCELLED, CANCELLING)
        return Taken() if is_cancelled else TooLate()

    def _told(self, ref: GateRef, verdict: Verdict | str) -> Told:
        if isinstance(verdict, str):
            return Declined(f"Prefect does not take it: {verdict}")
        still_waits = verdict.state is not None and verdict.state.id == ref.key
        match verdict.status:
            case "ACCEPT":
                return Taken()
            case "REJECT" if still_waits:
                return Declined(f"Prefect does not take it: {verdict.details.reason}")
            case "REJECT" | "ABORT":
                return TooLate()
            case status:
                raise BackendUnreachable(f"{self.name}: said {status} to an answer")


def _mark(ref: GateRef, reply: Reply) -> str:
    """The name of our mark; Prefect takes small letters, digits and dashes."""
    return f"signoff-{ref.key}-{reply.checkpoint_id.lower().replace('_', '-')}"


def _note(reply: Reply) -> str:
    """What a cancelled run says of it: `Rejected by Ana: too risky (Signoff cp_1)`."""
    verb = "Rejected" if reply.is_no else "Withdrawn"
    by = f" by {reply.by}" if reply.by else ""
    reason = f": {reply.reason}" if reply.reason else ""
    return f"{verb}{by}{reason} (Signoff {reply.checkpoint_id})"


def warnings_of(version: str, url: str, *, has_key: bool) -> tuple[str, ...]:
    """What whoever runs it should know, as sentences."""
    found = []
    if not version.startswith(f"{_PROVEN}."):
        told = f"It is Prefect {version}" if version else "It does not tell its version"
        found.append(f"{told}; this is proven with {_PROVEN}.")
    address = urlsplit(url)
    if has_key and address.scheme == "http" and address.hostname not in _LOOPBACK:
        found.append("Its key goes over plain http, where others can read it; use https.")
    return tuple(found)
