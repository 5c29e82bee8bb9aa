"""The form of a pause, and what is sent to resume it. Nothing here asks a server.

A boolean field `approved` in the form is the answer itself, not a field to fill in; a text field
`reason` beside it takes the reason of the decision, as the flows do that `signoff export prefect`
writes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from textwrap import dedent
from typing import Any

from engine.backends.prefect_documents import Keyset, RunInput
from engine.backends.schemas import field_of
from engine.gates import Reply
from engine.model import InputField, InputType, JsonObject

APPROVE = "Approve"
REJECT = "Reject"

_APPROVED = "approved"
_REASON = "reason"
_TEMPLATE = "__"  # what Prefect expands on its server is marked by a key that begins so
_SAID_LENGTH = 200
_SCHEMAS = 500


@dataclass(frozen=True, slots=True)
class Form:
    """What a pause asks for. `description` is the author's text, as Markdown."""

    fields: tuple[InputField, ...] = ()
    description: str = ""
    asks_approval: bool = False
    takes_reason: bool = False

    @property
    def options(self) -> tuple[str, ...]:
        """What can be answered.

        A no that would have to invent values is not among them: it withdraws the gate instead.
        """
        answerable = all(not one.required or one.default is not None for one in self.fields)
        return (APPROVE, REJECT) if self.asks_approval and answerable else (APPROVE,)


@dataclass(frozen=True, slots=True)
class Asked:
    """The inputs of a pause as they are kept; `response` is None until it is resumed."""

    form: Form
    written: datetime  # when the form was, on the server's clock
    response: JsonObject | None


def asked_of(keyset: Keyset, inputs: Sequence[RunInput]) -> Asked | None:
    """What a pause asks for; None before the flow has said it, which it does after it pauses."""
    kept = {one.key: one for one in inputs}
    if keyset.form not in kept:
        return None
    schema = kept[keyset.form]
    description = _json(kept[keyset.description].value) if keyset.description in kept else ""
    response = _json(kept[keyset.response].value) if keyset.response in kept else None
    return Asked(
        replace(_form(schema.value), description=dedent(_text(description)).strip()),
        schema.created,
        response if isinstance(response, Mapping) else None,
    )


def unfit(form: Form, reply: Reply) -> str | None:
    """Why a reply is not to be sent, as a sentence; None when it may be."""
    if len(reply.options) != 1 or reply.options[0] not in form.options:
        return f"The flow offers {' and '.join(form.options)} only."
    unknown = reply.values.keys() - {one.name for one in form.fields}
    if unknown:
        return f"The form of the flow has no field {min(unknown)!r}."
    if _is_template(content_of(form, reply)):
        return 'A value holds a key that begins with "__", which Prefect would expand.'
    return None


def content_of(form: Form, reply: Reply) -> dict[str, Any]:
    """What a reply says, as a whole `run_input`: every field that has a value."""
    content = {one.name: one.default for one in form.fields if one.default is not None}
    content |= reply.values
    if form.asks_approval:
        content[_APPROVED] = reply.options == (APPROVE,)
    if form.takes_reason:
        content[_REASON] = reply.reason
    return content


def says(content: JsonObject) -> str:
    """An answer in words: `Approve`, `Reject`, `Approve (percent: 5)`; without its reason."""
    given = {name: value for name, value in content.items() if name not in (_APPROVED, _REASON)}
    listed = ", ".join(f"{name}: {_plain(value)}" for name, value in given.items())
    verb = REJECT if content.get(_APPROVED) is False else APPROVE
    said = f"{verb} ({listed})" if listed else verb
    return said if len(said) <= _SAID_LENGTH else f"{said[: _SAID_LENGTH - 1]}…"


def is_same(one: JsonObject, other: JsonObject) -> bool:
    """Whether two answers say the same: true is not 1 here."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _is_template(value: object) -> bool:
    """Whether Prefect could expand a value on its server instead of taking it as it is."""
    if isinstance(value, Mapping):
        return any(str(key).startswith(_TEMPLATE) for key in value) or any(
            _is_template(inner) for inner in value.values()
        )
    return isinstance(value, list | tuple) and any(map(_is_template, value))


@lru_cache(_SCHEMAS)
def _form(schema: str) -> Form:
    """The form of a schema; the runs of a flow share one, and reading it takes milliseconds.

    A schema that cannot be read makes a form without fields: Prefect refuses its answer.
    """
    found = _mapping(_json(schema))
    properties = found.get("properties")
    described = properties if isinstance(properties, Mapping) else {}
    required = found.get("required")
    needed = required if isinstance(required, list) else []
    definitions = {**_mapping(found.get("$defs")), **_mapping(found.get("definitions"))}
    asks = _mapping(described.get(_APPROVED)).get("type") == "boolean"
    fields = [
        field_of(
            name,
            _mapping(one),
            default=_mapping(one).get("default"),
            description=_text(_mapping(one).get("description")),
            required=name in needed,
            definitions=definitions,
        )
        for name, one in described.items()
        if not (asks and name == _APPROVED)
    ]
    reasons = [one for one in fields if asks and one.name == _REASON and one.type is InputType.TEXT]
    return Form(
        tuple(one for one in fields if one not in reasons),
        asks_approval=asks,
        takes_reason=bool(reasons),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _json(text: str) -> Any:
    """The value in a text; None where it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
