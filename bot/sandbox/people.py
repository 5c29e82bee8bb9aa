"""What people do with views and messages: click, fill in, submit, close, open the Home tab."""

from collections.abc import Mapping
from typing import Any

from bot.sandbox import inputs, payloads, view_acks
from bot.sandbox.acts import NotPossible, Outcome, channel_of, person
from bot.sandbox.delivery import Ack
from bot.sandbox.elements import offered
from bot.sandbox.limits import elements_of
from bot.sandbox.local_slack import LocalSlack
from bot.sandbox.values import Json, View


def _outcome(ack: Ack, said: str) -> Outcome:
    return Outcome(
        ok=ack.error is None,
        acked_ms=ack.ms,
        error=said if ack.error else None,
        response=ack.body,
    )


class People:
    """The acts of everybody in the workspace; each waits for the app's ack."""

    def __init__(self, slack: LocalSlack) -> None:
        self._slack = slack

    async def click(
        self,
        user_id: str,
        channel_id: str,
        ts: str,
        action_id: str,
        *,
        value: Any = None,
        block_id: str | None = None,
    ) -> Outcome:
        """Press a button, or choose `value` in a select, in a message."""
        user, channel = person(self._slack, user_id), channel_of(self._slack, user_id, channel_id)
        message = self._slack.workspace.message(channel_id, ts)
        if message is None or message.only_for not in (None, user_id):
            raise NotPossible(f"there is no message {ts} in {channel_id} for {user_id}")
        action = self._action(message.blocks, action_id, block_id, value)
        key = (channel_id, ts, user_id)
        answers = _recorded(self._slack.workspace.answers.get(key, {}), action, message.blocks)
        self._slack.workspace.answers[key] = answers
        payload = payloads.message_action(
            user,
            self._slack.workspace.team,
            channel,
            message,
            action=action,
            answers=answers,
            trigger_id=self._slack.trigger(user_id),
            response_url=self._slack.response_url(user_id, channel_id, message),
        )
        ack = await self._deliver(payload)
        said = f"{self._slack.manifest.name} didn’t respond in time."
        self._slack.workspace.trouble(message, user_id, said if ack.error else None)
        return _outcome(ack, said)

    async def click_view(
        self,
        user_id: str,
        action_id: str,
        *,
        value: Any = None,
        block_id: str | None = None,
        values: Mapping[str, Any] | None = None,
        home: bool = False,
    ) -> Outcome:
        """Press a button, or choose in a select, in the open modal or the Home tab."""
        view = self._slack.modals.home(user_id) if home else self._slack.modals.top(user_id)
        view = self._filled(self._there(view), values or {})
        blocks = view.definition["blocks"]
        action = self._action(blocks, action_id, block_id, value)
        view = self._slack.modals.change(view, answers=_recorded(view.answers, action, blocks))
        trigger_id = self._slack.trigger(user_id, from_view=not home)
        team = self._slack.workspace.team
        payload = payloads.view_action(person(self._slack, user_id), team, view, action, trigger_id)
        ack = await self._deliver(payload)
        if ack.error:
            self._say_trouble(view)
        return _outcome(ack, view_acks.TROUBLE)

    async def fill(self, user_id: str, values: Mapping[str, Any]) -> Outcome:
        """Type into the open modal without sending anything."""
        self._filled(self._there(self._slack.modals.top(user_id)), values)
        return Outcome(ok=True)

    async def submit(self, user_id: str, values: Mapping[str, Any]) -> Outcome:
        """Fill in and submit the open modal; what the client refuses never reaches the app."""
        view = self._filled(self._there(self._slack.modals.top(user_id)), values)
        if not view.definition["submit"]:
            raise NotPossible("this modal has no submit button")
        errors = inputs.client_errors(view.definition["blocks"], view.answers)
        view = self._slack.modals.change(view, errors=errors, trouble=None)
        if errors:
            return Outcome(ok=False, error="the form is not complete", errors=errors)
        payload = payloads.view_submission(
            person(self._slack, user_id),
            self._slack.workspace.team,
            view,
            self._slack.trigger(user_id),
        )
        ack = await self._deliver(payload)
        problem, errors = view_acks.apply(self._slack, view, ack)
        return Outcome(
            ok=problem is None,
            acked_ms=ack.ms,
            error=problem,
            errors=errors,
            response=ack.body,
        )

    async def close(self, user_id: str, *, everything: bool = False) -> Outcome:
        """Close the view on top (Cancel), or with `everything` the whole stack (the X)."""
        top = self._there(self._slack.modals.top(user_id))
        everything = everything or bool(top.definition["clear_on_close"])
        closed = self._slack.modals.stack(user_id) if everything else [top]
        for view in reversed(closed):
            self._slack.modals.close(view)
        user, team = person(self._slack, user_id), self._slack.workspace.team
        acks = [
            await self._deliver(payloads.view_closed(user, team, view, is_cleared=everything))
            for view in reversed(closed)
            if view.definition["notify_on_close"]
        ]
        return Outcome(ok=True, acked_ms=max((ack.ms for ack in acks), default=0))

    async def open_home(self, user_id: str, tab: str = "home") -> Outcome:
        """Open the app's Home tab (or its messages)."""
        person(self._slack, user_id)
        channel = self._slack.workspace.conversation(user_id)
        if self._slack.manifest.home_tab:
            home = self._slack.modals.home(user_id)
            facts: Json = {"user": user_id, "channel": channel.id, "tab": tab}
            if home:
                facts["view"] = payloads.view_json(home, self._slack.workspace.team)
            self._slack.announce("app_home_opened", **facts)
        return Outcome(ok=True)

    async def _deliver(self, payload: Json) -> Ack:
        if not self._slack.manifest.interactivity:
            return Ack(ms=0, error="interactivity_is_off")
        return await self._slack.app.interactive(payload)

    def _there(self, view: View | None) -> View:
        if view is None:
            raise NotPossible("no modal is open")
        return view

    def _filled(self, view: View, values: Mapping[str, Any]) -> View:
        if not values:
            return view
        try:
            answers = inputs.merged(view.definition["blocks"], view.answers, values)
        except ValueError as wrong:
            raise NotPossible(str(wrong)) from wrong
        return self._slack.modals.change(view, answers=answers)

    def _action(self, blocks: Any, action_id: str, block_id: str | None, value: Any) -> Json:
        for block in blocks:
            for element in elements_of(block):
                here = block_id in (None, block["block_id"])
                if here and element.get("action_id") == action_id:
                    ts = self._slack.workspace.next_ts()
                    return {
                        **_chosen(element, value),
                        "block_id": block["block_id"],
                        "action_ts": ts,
                    }
        raise NotPossible(f"there is nothing with action_id {action_id!r} here")

    def _say_trouble(self, view: View) -> None:
        current = self._slack.modals.find(view_id=view.id)
        if current is not None:
            self._slack.modals.change(current, trouble=view_acks.TROUBLE)


def _chosen(element: Mapping[str, Any], value: Any) -> Json:
    kept = {k: v for k, v in element.items() if k not in {"options", "option_groups"}}
    try:
        if element["type"] == "button":
            return kept
        if element["type"] == "overflow":
            option = next(
                o for o in offered(element) if value in (o.get("value"), o["text"]["text"])
            )
            return {**kept, "selected_option": dict(option)}
        return {**kept, **inputs.answer(element, value)}
    except (ValueError, StopIteration) as wrong:
        raise NotPossible(f"{value!r} is not on offer") from wrong


def _recorded(answers: Mapping[str, Any], action: Json, blocks: Any) -> dict[str, Json]:
    recorded = {block_id: dict(entries) for block_id, entries in answers.items()}
    stateful = inputs.state_values(blocks, {})
    block_id, action_id = action["block_id"], action["action_id"]
    if action_id in stateful.get(block_id, {}):
        entry = {k: action[k] for k in stateful[block_id][action_id]}
        recorded.setdefault(block_id, {})[action_id] = entry
    return recorded
