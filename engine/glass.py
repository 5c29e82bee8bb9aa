"""Breaking the glass, and the review that follows: facts in, a ruling out. Pure.

An Admin may decide over the rules about who decides, and how many. Nothing else bends: not the
deadline, not the digest, not what the account is, not the form.
"""

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import replace

from engine.identity import Candidate, PersonId, Role
from engine.inputs import parse_inputs
from engine.model import Checkpoint, Choice
from engine.policy import (
    Answer,
    Finding,
    Kinds,
    Refused,
    Rule,
    Vote,
    admission,
    end_of,
    holds,
    keepable,
    operating,
    spare,
    tally,
)
from engine.rulings import Overruled
from engine.saying import inputs_valid
from engine.starters import known_person, started

LEAST_REASON = 10
"""Characters that can be seen, of the reason to break the glass."""

BENDS = frozenset(
    {Rule.APPROVERS, Rule.ASSIGNED, Rule.SELF_APPROVAL, Rule.KNOWN_PERSON, Rule.QUORUM}
)
"""What breaking the glass overrides. A rule that is not named here holds."""

NOT_TOLD_APART = "an account of another kind than those of who broke the glass"
"""Found of a reviewer of whom it cannot be told whether they broke the glass themselves."""

# Letters and symbols by their category, and blank all the same.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_SEEN = frozenset("LNPS")  # letters, numbers, punctuation, symbols


def overrule(
    checkpoint: Checkpoint,
    votes: Sequence[Vote],
    candidate: Candidate,
    answer: Answer,
    requester_kinds: Kinds,
) -> Overruled | Refused:
    """Judge an answer by which an Admin wants to break the glass.

    As for `rule`, `checkpoint` has expired if its deadline has passed. Refused where an ordinary
    answer would do.
    """
    wanted = checkpoint.policy.inputs if answer.choice is Choice.APPROVE else ()
    parsed = parse_inputs(wanted, answer.inputs if wanted else {})
    ordinary = spare(candidate, votes, answer.choice)
    counted, found = tally(
        checkpoint, votes, ordinary, requester_kinds, answer.choice, parsed.values
    )
    needed = checkpoint.policy.needed(answer.choice)
    bent = [
        *_bending(checkpoint, ordinary, requester_kinds),
        Finding(Rule.QUORUM, len(counted) >= needed, f"{needed} to {answer.choice}", found),
    ]
    kept = [
        *breaking(checkpoint, candidate, answer.request_digest, requester_kinds),
        _reason(answer.reason),
        inputs_valid(parsed.errors),
        _in_the_way(bent),
    ]
    if not all(finding.passed for finding in kept):
        return Refused(tuple(kept), field_errors=parsed.errors)
    return Overruled((*kept, *bent), parsed.values, end_of(answer.choice))


def breaking(
    checkpoint: Checkpoint, candidate: Candidate, request_digest: str, requester_kinds: Kinds
) -> list[Finding]:
    """What must hold before somebody is even asked for the reason to break the glass."""
    # On their own: what was delegated to them lends a place on a list, and the list gives way.
    own = replace(candidate, lent=())
    asked = admission(checkpoint, own, request_digest, requester_kinds)
    admin = holds(candidate, Role.ADMIN, checkpoint.tenant)
    return [
        admin if finding.rule is Rule.ROLE else finding
        for finding in asked
        if finding.rule not in BENDS
    ]


def reviewing(
    checkpoint: Checkpoint,
    candidate: Candidate,
    broken_by: PersonId,
    breaker_kinds: Kinds,
    requester_kinds: Kinds,
    *,
    is_open: bool,
) -> list[Finding]:
    """Who may sign a review: an Operator who neither broke the glass nor started the run.

    It must be certain that they did not break the glass: of an account of another kind nobody
    can say so, until it is linked.
    """
    return [
        Finding(Rule.REVIEW, is_open, "an open review", "open" if is_open else "signed already"),
        *operating(candidate, checkpoint.tenant),
        _reviewer(checkpoint, candidate, broken_by, breaker_kinds),
        known_person(checkpoint, candidate, requester_kinds),
    ]


def note_finding(note: str) -> Finding:
    """Whether a review's note says anything, and can be recorded."""
    kept = keepable(note)
    if not kept.passed:
        return kept
    said = seen(note) > 0
    return Finding(Rule.REASON, said, "required", f"{len(note)} characters" if said else "none")


def seen(text: str) -> int:
    """How many characters of a text can be seen: blanks and what has no shape do not count."""
    return sum(
        unicodedata.category(character)[0] in _SEEN and character not in _BLANK
        for character in text
    )


def _bending(checkpoint: Checkpoint, candidate: Candidate, requester_kinds: Kinds) -> list[Finding]:
    asked = admission(checkpoint, candidate, checkpoint.request_digest, requester_kinds)
    return [finding for finding in asked if finding.rule in BENDS]


def _in_the_way(bent: Collection[Finding]) -> Finding:
    stand = [finding.rule.value for finding in bent if not finding.passed]
    needed = "a rule about who decides that stands in the way"
    return Finding(Rule.BREAK_GLASS, bool(stand), needed, ", ".join(stand) or "none does")


def _reason(reason: str) -> Finding:
    kept = keepable(reason)
    if not kept.passed:
        return kept
    said = seen(reason)
    enough = said >= LEAST_REASON
    return Finding(Rule.REASON, enough, f"at least {LEAST_REASON} characters", f"{said} characters")


def _reviewer(
    checkpoint: Checkpoint, candidate: Candidate, broken_by: PersonId, breaker_kinds: Kinds
) -> Finding:
    if candidate.is_person(broken_by):
        found = "the one who broke the glass"
    elif started(checkpoint, candidate):
        found = "the one who started the run"
    elif not candidate.kinds & breaker_kinds:
        found = NOT_TOLD_APART
    else:
        found = "another person"
    needed = "known to be neither who broke the glass nor who started the run"
    return Finding(Rule.REVIEWER, found == "another person", needed, found)
