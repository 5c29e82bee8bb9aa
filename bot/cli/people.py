"""`signoff people`: who is known by which accounts, who is stopped, who acts for whom."""

from datetime import UTC
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.exits import Exit
from bot.cli.options import JsonOption, ReasonOption

if TYPE_CHECKING:
    from engine import Refused

app = typer.Typer(
    help="People: show, disable, enable, link, unlink, delegate.", no_args_is_help=True
)

_WHOM = "U012AB, T012/U012AB, os:ana, os:ana@host, an e-mail they linked, or pn_…"
_ACCOUNT = "os:ana@host, airflow:NAME/ana, prefect:NAME/ana or ana@example.com"
Whom = Annotated[str, typer.Argument(metavar="WHO", help=_WHOM)]
Account = Annotated[str, typer.Argument(metavar="ACCOUNT", help=_ACCOUNT)]


@app.command()
def show(
    who: Annotated[str | None, typer.Argument(metavar="[WHO]", help=_WHOM)] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Say which accounts are one person, what they may do, and who acts for whom."""
    from bot.cli.output import emit
    from bot.cli.people_text import file_json, show_people, show_person
    from bot.cli.session import session, this_host
    from bot.notification_forms import preference_lines
    from engine import (
        PersonNotFound,
        person_file,
        person_files,
        person_named,
        preferences_of_person,
        roles_by_account,
    )

    with session(with_roles=True) as now:
        if who is None:
            everybody = now.read(person_files)
            if as_json:
                emit([file_json(filed, {}) for filed in everybody])
            else:
                show_people(everybody, now.moments)
            return
        found = now.read(lambda tx: person_named(tx, who, this_host()))
        if found is None:
            raise PersonNotFound(who)
        filed = now.read(lambda tx: person_file(tx, found))
        held = now.read(lambda tx: roles_by_account(tx, filed))
        if as_json:
            emit(file_json(filed, held))
        else:
            wanted = now.read(lambda tx: preferences_of_person(tx, found))
            told = preference_lines(wanted, now.store.clock.now())
            show_person(filed, held, told, now.moments)


@app.command()
def disable(who: Whom, *, reason: ReasonOption = "") -> None:
    """Stop everything somebody decides, everywhere at once. Needs Admin in any tenant."""
    from bot.cli.output import say
    from bot.cli.session import session, this_host
    from engine import disable as stop
    from engine import ensure_named

    with session(with_roles=True) as now:
        local = now.settings.local
        _stop_if(
            now.write(
                lambda tx: stop(tx, ensure_named(tx, who, this_host()), now.caller, reason, local)
            )
        )
        say(f"{who} is disabled: no answer of theirs counts any more, also of those given before.")


@app.command()
def enable(who: Whom, *, reason: ReasonOption = "") -> None:
    """Let somebody act again who was disabled. Needs Admin in any tenant."""
    from bot.cli.output import say
    from bot.cli.session import session, this_host
    from engine import enable as let
    from engine import ensure_named

    with session(with_roles=True) as now:
        local = now.settings.local
        _stop_if(
            now.write(
                lambda tx: let(tx, ensure_named(tx, who, this_host()), now.caller, reason, local)
            )
        )
        say(f"{who} may act again.")


@app.command()
def link(
    account: Account,
    to: Annotated[str, typer.Argument(metavar="SLACK_USER", help="U012AB or T012/U012AB")],
) -> None:
    """Make a code with which somebody says, in Slack, that an account is theirs."""
    from bot.cli.output import say
    from bot.cli.session import session, this_host
    from bot.people_notices import code
    from engine import LinkCode, Principal, account_named, ask_link

    target = Principal.parse(to)
    with session(with_roles=True) as now:
        local = now.settings.local
        made = now.write(
            lambda tx: ask_link(
                tx, account_named(tx, account, this_host()), target, now.caller, local
            )
        )
        if not isinstance(made, LinkCode):
            _stop_if(made)
            return
        for line in code(made.code, str(target), made.expires_at):
            say(line)


@app.command()
def unlink(account: Account) -> None:
    """Take an account from its person. Needs Admin in any tenant, or to be that person."""
    from bot.cli.output import say
    from bot.cli.session import session, this_host
    from engine import Refused, account_named
    from engine import unlink as take_away

    with session(with_roles=True) as now:
        local = now.settings.local
        done = now.write(
            lambda tx: take_away(tx, account_named(tx, account, this_host()), now.caller, local)
        )
        if isinstance(done, Refused):
            _stop_if(done)
        say(f"{account} is nobody's. What was done with it stays on record as it was.")


@app.command()
def delegate(
    who: Whom,
    to: Annotated[str, typer.Argument(metavar="TO", help=_WHOM)],
    *,
    until: Annotated[str, typer.Option("--until", help="2026-12-01T18:00, friday, 3 days; UTC.")],
    since: Annotated[str, typer.Option("--from", help="As --until; by default from now on.")] = "",
    reason: ReasonOption = "",
) -> None:
    """Let TO act in WHO's place where approvers are named. By WHO, or an Admin of any tenant."""
    from bot.cli.output import say
    from bot.cli.session import session, this_host
    from bot.times import utc
    from bot.typed_times import read_time
    from engine import Refused, ensure_named
    from engine import delegate as lend

    with session(with_roles=True) as now:
        at = now.store.clock.now().astimezone(UTC)
        ends = read_time(until.split(), at, is_end=True)
        begins = read_time(since.split(), at, is_end=False) if since else at
        if ends is None or begins is None:
            typer.echo(f"error: {(until if ends is None else since)!r} is no time", err=True)
            raise typer.Exit(Exit.USAGE)
        local = now.settings.local
        made = now.write(
            lambda tx: lend(
                tx,
                ensure_named(tx, who, this_host()),
                ensure_named(tx, to, this_host()),
                now.caller,
                ends,
                begins,
                reason,
                local,
            )
        )
        if isinstance(made, Refused):
            _stop_if(made)
        else:
            say(f"{made.id}: {to} may act for {who} from {utc(begins)} until {utc(ends)}.")


@app.command("end-delegation")
def end(delegation: Annotated[str, typer.Argument(metavar="ID", help="dl_…")]) -> None:
    """End a delegation before its time. By either of both, or an Admin of any tenant."""
    from bot.cli.output import say
    from bot.cli.session import session
    from engine import Refused, end_delegation

    with session(with_roles=True) as now:
        local = now.settings.local
        ended = now.write(lambda tx: end_delegation(tx, delegation, now.caller, local))
        if isinstance(ended, Refused):
            _stop_if(ended)
        say(f"{delegation} lends nothing any more.")


def _stop_if(refused: "Refused | None") -> None:
    from bot.cli.output import warn
    from bot.people_notices import refused as told

    if refused is not None:
        warn(str(told(refused)))
        raise typer.Exit(Exit.REFUSED)
