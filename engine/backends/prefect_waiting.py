"""The flow runs of Prefect that wait, with what they ask."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from engine.backends.http import Session
from engine.backends.prefect_api import PAGE, Api
from engine.backends.prefect_documents import FlowRun, State
from engine.backends.prefect_forms import Asked, Form, asked_of
from engine.backends.prefect_gates import gate_of, page_of
from engine.clock import Clock
from engine.gates import WaitingGate

_AT_ONCE = 4
_REMEMBERED = 20_000
# The description of a form is written right after the form: so long we wait for one.
_WRITING = timedelta(seconds=2)

T = TypeVar("T")


async def asked_at(api: Api, run: str, pause: State) -> Asked | None:
    """What a pause asks for; None where it asks for nothing, or has not said it yet."""
    if pause.keyset is None:
        return None
    return asked_of(pause.keyset, await api.inputs(run, pause.keyset.prefix))


class PausedRuns:
    """Every paused flow run as a gate.

    The names of flows, and forms by the state that asks, are remembered: they never change.
    """

    def __init__(self, api: Api, session: Session, clock: Clock, url: str) -> None:
        """`url` is the address of the API, from which the pages of runs are told."""
        self._api = api
        self._session = session
        self._clock = clock
        self._url = url
        self._names: dict[str, str] = {}
        self._forms: dict[str, Form] = {}

    async def gates(self) -> Sequence[WaitingGate]:
        """All that wait, but those that have not yet said what they ask."""
        runs = await self._runs()
        await self._learn_names({run.flow_id for run in runs})
        await self._learn_forms(runs)
        return [
            self._gate(run, pause, form)
            for run in runs
            if (pause := run.pause()) is not None and (form := self._form(pause)) is not None
        ]

    def _gate(self, run: FlowRun, pause: State, form: Form) -> WaitingGate:
        flow = self._names.get(run.flow_id, run.flow_id)
        page = page_of(self._url, run.id)
        return gate_of(run, pause, form, flow, page, self._session.on_our_clock)

    def _form(self, pause: State) -> Form | None:
        return Form() if pause.keyset is None else self._forms.get(pause.id)

    async def _runs(self) -> Sequence[FlowRun]:
        """Every paused flow run once, in the order they began.

        The next page begins where the last one ended, not after so many: nobody is passed over
        when a run leaves a page that was read.
        """
        found: dict[str, FlowRun] = {}
        since: datetime | None = None
        offset = 0
        while True:
            page = await self._api.paused(since, offset, PAGE)
            found |= {run.id: run for run in page}
            if len(page) < PAGE:
                return list(found.values())
            last = page[-1].began
            offset = offset + PAGE if last is None or last == since else 0
            since = last or since

    async def _learn_names(self, flows: set[str]) -> None:
        missing = sorted(flows - self._names.keys())
        for start in range(0, len(missing), PAGE):
            batch = missing[start : start + PAGE]
            _remember(self._names, await self._api.flow_names(batch))

    async def _learn_forms(self, runs: Iterable[FlowRun]) -> None:
        asking = (
            (run.id, pause)
            for run in runs
            if (pause := run.pause()) is not None
            and pause.keyset is not None
            and pause.id not in self._forms
        )
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_AT_ONCE):
                    group.create_task(self._learn_next(asking))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _learn_next(self, asking: Iterator[tuple[str, State]]) -> None:
        for run, pause in asking:
            asked = await asked_at(self._api, run, pause)
            if asked is not None and self._is_whole(asked):
                _remember(self._forms, {pause.id: asked.form})

    def _is_whole(self, asked: Asked) -> bool:
        """Whether no more of a form is to come."""
        since = self._session.on_our_clock(asked.written)
        return bool(asked.form.description) or self._clock.now() - since >= _WRITING


def _remember(known: dict[str, T], news: dict[str, T]) -> None:
    known |= news
    while len(known) > _REMEMBERED:
        known.pop(next(iter(known)))
