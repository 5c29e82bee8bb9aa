"""What is over, and runs, as private lists: a page, as of when, and where it leads."""

from dataclasses import replace

from bot import wording
from bot.blocks import context, section
from bot.cards import Message, button
from bot.lists import as_of, narrowed_to, turn
from bot.literal import Block, cut, escaped, one_line, plain
from bot.page_states import PastState
from bot.times import duration, utc
from bot.tokens import DETAILS, NEXT, REFRESH, REVIEW
from bot.wording import Line, Moment
from engine import CheckpointView, Mark, PastPage, RunLine, RunPage

PAST_ROWS = 8
RUN_ROWS = 10
"""How many rows a page holds; ask the engine for as many."""

_MOST_PROMPT = 150
_MOST_ROW = 500
_MOST_TEXT = 3_000
_MOST_WAITS = 3


def history(page: PastPage, state: PastState) -> Message:
    """A page of what ended, each row with its Details."""
    title = _title("What ended", "Nothing ended", state, is_empty=not page.items)
    blocks: list[Block] = [section(title), as_of(page.as_of)]
    for view in page.items:
        blocks += _ended(view)
    said = "; ".join(wording.header(view) for view in page.items)
    return _message(title, said, [*blocks, _turns(state, page.after)], page)


def runs(page: RunPage, state: PastState) -> Message:
    """A page of runs, each with what it waits for."""
    title = _title("Recent runs", "There are no runs", state, is_empty=not page.items)
    blocks: list[Block] = [section(title), as_of(page.as_of)]
    for line in page.items:
        blocks += _run(line, page)
    said = "; ".join(wording.run_outcome(line.run) for line in page.items)
    return _message(title, said, [*blocks, _turns(state, page.after)], page)


def _message(title: str, said: str, blocks: list[Block], page: PastPage | RunPage) -> Message:
    text = f"{title} As of {utc(page.as_of)}. {said}".strip()
    return Message(escaped(text, _MOST_TEXT), tuple(blocks))


def _title(some: str, none: str, state: PastState, *, is_empty: bool) -> str:
    since = None if state.since is None else utc(state.since)
    where = narrowed_to(
        tenant=state.tenant, dag=state.dag, state=state.state, by=state.by, since=since
    )
    older = " before that" if state.cursor else ""
    return f"{none}{older}{where}." if is_empty else f"{some}{where}, the newest first:"


def _ended(view: CheckpointView) -> list[Block]:
    checkpoint = view.checkpoint
    prompt = cut(one_line(checkpoint.prompt), _MOST_PROMPT) or "(no prompt)"
    row = {
        "type": "section",
        "text": plain(
            f"{wording.header(view)} · {one_line(checkpoint.tenant)}\n{prompt}", _MOST_ROW
        ),
        "accessory": button(DETAILS, checkpoint),
    }
    return [row, context(wording.ending(view))]


def _run(line: RunLine, page: RunPage) -> list[Block]:
    run = line.run
    row: Block = {
        "type": "section",
        "text": plain(f"{wording.run_outcome(run)}\n{run.id} · {one_line(run.tenant)}", _MOST_ROW),
    }
    if line.waits_for:
        row["accessory"] = button(REVIEW, line.waits_for[0])
    age = duration(page.as_of - run.created_at)
    asked = f"asked {age} ago by {wording.name_of(line.requester)}"
    return [row, context((asked, *_went(line)))]


def _went(line: RunLine) -> Line:
    """What it waits for, or when it ended."""
    if line.run.ended_at is not None:
        return (Moment(line.run.ended_at, before="ended "),)
    names = [one_line(one.task_id) for one in line.waits_for[:_MOST_WAITS]]
    if len(line.waits_for) > _MOST_WAITS:
        names.append(f"{len(line.waits_for) - _MOST_WAITS} more")
    return (f"waits for {', '.join(names)}",) if names else ()


def _turns(state: PastState, after: Mark | None) -> Block:
    refresh = "First page" if state.cursor else "Refresh"
    turns = [turn(REFRESH, refresh, replace(state, cursor=None))]
    if after is not None:
        turns.append(turn(NEXT, "Next", replace(state, cursor=after)))
    return {"type": "actions", "elements": turns}
