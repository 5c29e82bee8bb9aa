"""Strategies for text and views that somebody made to break or to deceive."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from engine import (
    CheckpointState,
    CheckpointView,
    Choice,
    Confirm,
    Effect,
    Elsewhere,
    Escalation,
    Fact,
    Failure,
    Finding,
    InputField,
    InputType,
    Policy,
    Progress,
    ReasonRule,
    ReviewView,
    Role,
    Rule,
    RunCause,
    RunState,
    Stage,
    StillAsked,
    TaskId,
    TaskState,
)
from tests.bot import views

_AWKWARD = (
    "",
    " \n\t ",
    "\x00",
    "<!channel>",
    "<@U0ANA> <http://evil.example|ok>",
    "&<>*_~`",
    "&amp;" * 900,
    "<" * 4_000,
    "\u202eABC\u202c",
    "a\u200bb\u2060c\ufeff",
    "مرحبا שלום",
    "👩\u200d👩\u200d👧" * 2_000,
    "e\u0301" * 6_000,
    "x" * 12_000,
    "\n" * 3_000,
    "𝔘" * 5_000,
    "\ud800",
    "\u202e" * 3_000,
    "#" * 149 + "👍🏽",
)

text = st.one_of(st.sampled_from(_AWKWARD), st.text(), st.text(alphabet="&<>@!|^*_`~\x00\u202e😀"))

_facts = st.lists(
    st.one_of(
        st.builds(Fact, text, text),
        st.builds(Fact, text, st.just(views.SECRET), st.just(value=True)),
    ),
    max_size=4,
).map(tuple)

_names = st.lists(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,63}", fullmatch=True), max_size=3, unique=True
)
_MANY = [f"option {number}" for number in range(120)]
_bounds = st.none() | st.integers(-5, 3_000)
_json = st.recursive(
    st.booleans() | st.integers() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def _field(draw: st.DrawFn, name: str) -> InputField:
    kind = draw(st.sampled_from(InputType))
    options = tuple(draw(st.lists(text, max_size=3, unique=True) | st.just(_MANY)))
    default: Any
    match kind:
        case InputType.TEXT:
            default = draw(st.none() | text)
        case InputType.NUMBER:
            default = draw(st.none() | st.integers(-(2**53), 2**53) | st.floats(-1e300, 1e300))
        case InputType.BOOLEAN:
            default = draw(st.none() | st.booleans())
        case InputType.CHOICE:
            default = draw(st.none() | st.sampled_from(options)) if options else None
        case InputType.CHOICES:
            default = draw(st.none() | st.lists(st.sampled_from(options or ("",)), unique=True))
        case InputType.JSON:
            default = draw(st.none() | _json)
        case InputType.DATE:
            default = draw(st.none() | st.dates().map(lambda day: day.isoformat()))
    return InputField(
        name=name,
        type=kind,
        description=draw(text),
        required=draw(st.booleans()),
        default=default,
        minimum=draw(_bounds),
        maximum=draw(_bounds),
        options=options,
    )


_channels = st.sampled_from([f"#{name}" for name in _AWKWARD])
_targets = st.sampled_from(["Admin", "Operator", "U0ANA", "S0TEAM", "ana@example.com"]) | _channels
_escalations = st.lists(_targets, min_size=1, max_size=3).map(lambda to: Escalation(tuple(to)))


@st.composite
def _policy(draw: st.DrawFn) -> Policy:
    return Policy(
        quorum=draw(st.integers(1, 3)),
        reject_quorum=draw(st.integers(1, 3)),
        approve_reason=draw(st.sampled_from(ReasonRule)),
        reject_reason=draw(st.sampled_from(ReasonRule)),
        inputs=tuple(draw(_field(name)) for name in draw(_names)),
        confirm=draw(st.sampled_from(Confirm)),
        escalate=draw(st.none() | _escalations),
    )


@st.composite
def _elsewhere(draw: st.DrawFn) -> Elsewhere:
    options = tuple(draw(st.lists(text, min_size=1, max_size=6)))
    return replace(
        views.PROD,
        backend=draw(text),
        options=options,
        approving=options,
        choosing=draw(st.none() | st.just("option")),
        url=draw(st.just(views.PROD.url) | text),
    )


_lapses = st.lists(
    st.builds(Finding, st.sampled_from(Rule), st.just(value=False), text, text), max_size=2
).map(tuple)
_asked = st.builds(
    StillAsked, st.sampled_from(Role), st.none() | st.lists(text).map(tuple), st.booleans()
)


_stages = st.builds(
    Stage,
    st.lists(st.tuples(text.map(TaskId), st.sampled_from(TaskState)), min_size=1, max_size=3).map(
        tuple
    ),
    st.integers(0, 40),
)
_counts = st.sampled_from([0, 1, 9_999])


@st.composite
def _progress(draw: st.DrawFn, here: TaskId) -> Progress:
    before = draw(st.lists(_stages, max_size=3))
    after = draw(st.lists(_stages, max_size=3))
    middle = Stage(((here, draw(st.sampled_from(TaskState))),))
    return Progress((*before, middle, *after), draw(_counts), draw(_counts))


_failures = st.builds(
    Failure,
    task=text.map(TaskId),
    error=text,
    attempt=st.integers(1, 9),
    attempts=st.integers(1, 9),
    log_tail=text,
)


@st.composite
def _review(draw: st.DrawFn, made: ReviewView) -> ReviewView:
    signer = None if made.signed_by is None else replace(made.signed_by, name=draw(text))
    return replace(
        made,
        record=replace(made.record, note=draw(text)),
        broken_by=replace(made.broken_by, name=draw(text)),
        signed_by=signer,
    )


_BROKEN = (
    views.broken(),
    views.broken(CheckpointState.REJECTED, views.BOB),
    views.there(views.broken(), Effect.PENDING),
)
_ALL = (
    *_BROKEN,
    views.waiting(),
    views.approved(),
    views.rejected(),
    views.expired(),
    views.forced(),
    views.cancelled(),
    views.called_off(),
    views.answered_elsewhere(),
    views.there(views.waiting()),
    views.there(views.approved(), Effect.PENDING),
    views.there(views.rejected(), Effect.LOST_ELSEWHERE),
)


def view() -> st.SearchStrategy[CheckpointView]:
    """A checkpoint in any state in which everything others can write is hostile."""
    return _view(_ALL)


def broken_view() -> st.SearchStrategy[CheckpointView]:
    """One whose glass was broken, which is being or was reviewed."""
    return _view(_BROKEN)


@st.composite
def _view(draw: st.DrawFn, among: Sequence[CheckpointView]) -> CheckpointView:
    made = draw(st.sampled_from(among))
    request = replace(
        made.checkpoint,
        prompt=draw(text),
        facts=draw(_facts),
        tenant=draw(text),
        dag_name=draw(text),
        task_id=TaskId(draw(text)),
        policy=draw(_policy()),
        elsewhere=made.checkpoint.elsewhere and draw(_elsewhere()),
        escalated_at=draw(st.none() | st.just(views.ASKED_AT)),
        could_decide=draw(st.none() | st.integers(0, 3)),
    )
    person = replace(views.ANA, name=draw(text))
    count = draw(st.sampled_from([0, 1, 2, 30]))
    said = views.voice(
        person, draw(st.sampled_from(Choice)), draw(text), inputs=draw(st.just({}) | _given)
    )
    run = views.run(
        draw(st.sampled_from(RunState)),
        draw(st.none() | st.sampled_from(RunCause)),
        dag_name=draw(text),
        because=draw(st.none() | text),
    )
    by = replace(views.ANA, name=draw(text))
    if made.review is not None:
        said = replace(said, broke_glass=True)
        made = replace(made, review=draw(_review(made.review)))
    return replace(
        made,
        called_off=made.called_off and replace(made.called_off, by=by, reason=draw(text)),
        standstill=draw(st.none() | st.builds(views.stopped, text, text)),
        checkpoint=request,
        voices=(said,) * count + (replace(said, lapsed=draw(_lapses)),) * (count // 2),
        still_asked=draw(st.none() | _asked),
        requester=replace(views.EVE, name=draw(text)),
        requested_as=draw(text),
        channel=draw(st.none() | text),
        run=run,
        gate_note=draw(st.none() | text),
        progress=draw(st.none() | _progress(request.task_id)),
        failure=draw(st.none() | _failures),
    )


_given = st.dictionaries(text, text | st.integers() | st.booleans(), max_size=5)
