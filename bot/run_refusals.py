"""Why a run was not steered as somebody wanted: how it stands, and what to do instead."""

from bot.literal import one_line
from bot.refusals import reason_refused, role_refused, standing_refused, steering_refused
from bot.wording import Explanation
from engine import Finding, Refused, Rule, Run, RunState, RunView

_BY_STATE = (Rule.CANCELLABLE, Rule.RETRYABLE, Rule.STANDSTILL)


def run_refusal(refused: Refused, view: RunView) -> Explanation:
    """Why a run was not called off or tried again. How it stands comes before who may."""
    finding = _first(refused)
    match finding.rule:
        case Rule.CANCELLABLE:
            return steering_refused("It cannot be cancelled", finding, _after_no_cancel(view.run))
        case Rule.RETRYABLE:
            return steering_refused("It cannot be tried again", finding, _after_no_retry(view))
        case Rule.STANDING:
            return standing_refused(finding, view.run.tenant)
        case Rule.REASON:
            return reason_refused(finding)
        case _:
            return role_refused(finding, view.run.tenant)


def standstill_refusal(refused: Refused) -> Explanation:
    """Why a standstill was not begun or ended."""
    finding = _first(refused)
    match finding.rule:
        case Rule.STANDSTILL:
            return Explanation(f"{one_line(finding.found[:1].upper() + finding.found[1:])}.")
        case Rule.REASON:
            return reason_refused(finding)
        case _:
            said = f"Needs {one_line(finding.needed)}; you hold {one_line(finding.found)}."
            next_step = "Ask an Admin for the role: signoff roles grant …"
            return Explanation("Your role does not allow this", ((said,),), next_step)


def _first(refused: Refused) -> Finding:
    by_state = [finding for finding in refused.reasons if finding.rule in _BY_STATE]
    return (by_state or list(refused.reasons))[0]


def _after_no_cancel(run: Run) -> str:
    if not run.has_ended:
        return f"Watch it end: signoff runs watch {run.id}"
    if run.state is RunState.FAILED:
        return f"Try it again: signoff runs retry {run.id}"
    return "There is nothing left to cancel."


def _after_no_retry(view: RunView) -> str:
    run = view.run
    match run.state:
        case RunState.QUEUED | RunState.RUNNING:
            return f"Watch it: signoff runs watch {run.id}"
        case RunState.PAUSED:
            return f"It waits for people: signoff runs show {run.id}"
        case RunState.FAILED:
            asked = [c.id for c in view.checkpoints if c.task_id == run.because]
            named = asked[-1] if asked else "ID"
            return f"Ask again: signoff checkpoints ask-again {named}"
        case RunState.SUCCEEDED | RunState.CANCELLED:
            return "Start it anew: signoff run FILE"
