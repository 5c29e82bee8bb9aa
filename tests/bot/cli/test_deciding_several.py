"""Deciding several from a terminal, and insisting on the request one has seen."""

import pytest

from tests.bot.cli.terminal import OTHER, Terminal, me

OPEN = "self_approval: true"


def _digest(terminal: Terminal, checkpoint: str) -> str:
    return str(terminal.json("checkpoints", "show", checkpoint)["request_digest"])


def _state(terminal: Terminal, checkpoint: str) -> str:
    return str(terminal.json("checkpoints", "show", checkpoint)["status"])


@pytest.mark.parametrize("length", [8, 64])
def test_an_answer_to_the_digest_that_was_seen_counts(terminal: Terminal, length: int) -> None:
    """A beginning of it will do, in any letter case."""
    _, checkpoint = terminal.paused()
    seen = _digest(terminal, checkpoint)[:length].upper()
    terminal.ok("checkpoints", "approve", checkpoint, "--digest", seen)
    assert _state(terminal, checkpoint) == "approved"


def test_an_answer_to_another_digest_is_refused_and_shows_both(terminal: Terminal) -> None:
    """Nothing changes but the trail, and the request is there to be looked at."""
    _, checkpoint = terminal.paused()
    digest = _digest(terminal, checkpoint)
    result = terminal.run("checkpoints", "approve", checkpoint, "--digest", "00000000")
    assert result.exit_code == 1
    assert "not the one you were shown" in result.stderr
    assert digest in result.stdout
    assert f"the request is {digest[:8]}" in result.stderr
    assert _state(terminal, checkpoint) == "pending"
    assert '"digest"' in terminal.ok("audit", "export", "--checkpoint", checkpoint)


@pytest.mark.parametrize("given", ["1234567", "not-hex-at-all", "0" * 65])
def test_a_digest_that_can_be_none_is_wrong_usage(terminal: Terminal, given: str) -> None:
    """Too short to tell anything, or no digest."""
    _, checkpoint = terminal.paused()
    result = terminal.run("checkpoints", "reject", checkpoint, "--digest", given)
    assert result.exit_code == 2
    assert "8 to 64" in result.stderr


def test_several_are_decided_each_in_its_own_right(terminal: Terminal) -> None:
    """One that ended, one with a form, one that does not exist: the others are approved."""
    _, first = terminal.paused()
    _, second = terminal.paused()
    _, ended = terminal.paused()
    terminal.ok("checkpoints", "reject", ended, "--reason", "no")
    _, form = terminal.paused(f"{OPEN}\ninputs:\n  note: {{type: text}}")
    ids = [first, ended, form, "cp_none", second]
    result = terminal.run("checkpoints", "approve", *ids, "--reason", "all good")
    assert result.exit_code == 1
    assert [_state(terminal, one) for one in (first, second)] == ["approved"] * 2
    assert _state(terminal, form) == "pending"
    assert f"{first} ({_digest(terminal, first)[:8]}): ✅ Approved" in result.stdout
    for said in ("Already rejected", "It has a form", "cp_none: there is no such checkpoint"):
        assert said in result.stderr


def test_several_that_are_all_recorded_end_with_success(terminal: Terminal) -> None:
    """As JSON each has its ruling."""
    ids = [terminal.paused()[1] for _ in range(2)]
    digests = [arg for one in ids for arg in ("--digest", _digest(terminal, one)[:8])]
    told = terminal.json("checkpoints", "reject", *ids, *digests, "--reason", "no")
    assert [(one["id"], one["ruling"]) for one in told] == [(one, "settled") for one in ids]


def test_each_digest_is_of_the_checkpoint_in_its_place(terminal: Terminal) -> None:
    """Of two answers to swapped digests none counts; one for two is wrong usage."""
    ids = [terminal.paused()[1] for _ in range(2)]
    swapped = [a for one in reversed(ids) for a in ("--digest", _digest(terminal, one))]
    told = terminal.json("checkpoints", "approve", *ids, *swapped)
    assert [one["ruling"] for one in told] == ["refused", "refused"]
    assert terminal.run("checkpoints", "approve", *ids, "--digest", "0" * 8).exit_code == 2


def test_a_form_is_not_filled_in_for_several(terminal: Terminal) -> None:
    """Values belong to one request."""
    ids = [terminal.paused()[1] for _ in range(2)]
    result = terminal.run("checkpoints", "approve", *ids, "--kv", "a=1")
    assert result.exit_code == 2
    assert "--kv is for one checkpoint" in result.stderr


def test_without_the_role_none_of_several_is_decided(terminal: Terminal) -> None:
    """The refusal is told of each."""
    ids = [terminal.paused()[1] for _ in range(2)]
    terminal.roles(**{me(): "admin"})
    terminal.become(OTHER)
    result = terminal.run("checkpoints", "approve", *ids)
    assert result.exit_code == 1
    assert result.stderr.count("Your role does not allow this") == 2
