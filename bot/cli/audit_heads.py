"""`signoff audit verify`, `key` and `heads`: whether the trail is the one that was signed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.exits import Exit
from bot.cli.options import JsonOption

if TYPE_CHECKING:
    from engine import PublicKey, SignedHead

AnchorOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--anchor", metavar="FILE", help="Signed heads kept elsewhere: a file or a syslog."
    ),
]
PublicKeyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--public-key",
        metavar="HEX",
        help="Whose signatures count; by default of the key of this machine, if there is one.",
    ),
]
ExportOption = Annotated[
    Path | None,
    typer.Option("--export", metavar="FILE", help="Check what `audit export` wrote instead."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(verify)
    app.command()(key)
    app.command()(heads)


def verify(
    *,
    anchor: AnchorOption = None,
    public_key: PublicKeyOption = None,
    exported: ExportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the whole chain, and hold it to what was signed of it."""
    from bot.cli.output import emit, say, warn
    from bot.cli.session import session
    from engine import Broken, verify_export, verify_trail

    keys, anchors = _keys(public_key), _anchors(anchor)
    if anchors and not keys:
        warn("error: without --public-key nothing says whose signatures these are")
        raise typer.Exit(Exit.USAGE)
    if exported is not None:
        try:
            with exported.open(encoding="utf-8") as lines:
                found = verify_export(lines, keys, anchors)
        except (OSError, UnicodeDecodeError) as error:
            warn(f"error: {exported} cannot be read: {error}")
            raise typer.Exit(Exit.REFUSED) from error
    else:
        with session() as now:
            found = now.read(lambda tx: verify_trail(tx, keys, anchors))
    if isinstance(found, Broken):
        if as_json:
            emit({"holds": False, "seq": found.seq, "why": found.why})
        warn(f"error: the trail is broken: row {found.seq} {found.why}")
        raise typer.Exit(Exit.REFUSED)
    if as_json:
        emit(
            {
                "holds": True,
                "rows": found.rows,
                "head": found.head,
                "signed_to": found.signed_to,
            }
        )
        return
    say(f"The trail holds: {found.rows} rows checked, head {found.head}")
    if found.signed_to:
        say(f"Signed heads prove it up to row {found.signed_to}.")
    else:
        say("No signed head was held against it: rows cut off at its end would not be noticed.")


def key(
    *,
    make: Annotated[bool, typer.Option("--make", help="Make the key; never over another.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the public key that auditors check signed heads with."""
    from bot.cli.output import emit, say, warn
    from bot.config import load_settings
    from engine import load_head_key, make_head_key

    path = load_settings().audit.key
    try:
        found = make_head_key(path) if make else load_head_key(path)
    except FileExistsError as error:
        warn(f"error: {path} is there already; a key that has signed is not replaced")
        raise typer.Exit(Exit.REFUSED) from error
    except OSError as error:
        warn(f"error: cannot write {path}: {error.strerror}")
        raise typer.Exit(Exit.REFUSED) from error
    if found is None:
        warn(f"error: there is no key {path}; `signoff audit key --make` makes it")
        raise typer.Exit(Exit.REFUSED)
    if as_json:
        emit({"path": str(path), "public_key": found.public.hex, "key_id": found.public.id})
    else:
        say(found.public.hex)


def heads() -> None:
    """Write the signed heads to stdout, oldest first: keep them where this machine cannot."""
    from bot.cli.output import emit_line
    from bot.cli.session import session
    from engine import signed_heads

    with session() as now:
        for head in now.read(signed_heads):
            emit_line(head.as_json())


def _keys(given: list[str] | None) -> "list[PublicKey]":
    """The keys named, or that of this machine."""
    from bot.cli.output import warn
    from bot.config import load_settings
    from engine import InvalidHead, PublicKey, load_head_key

    if not given:
        own = load_head_key(load_settings().audit.key)
        return [] if own is None else [own.public]
    try:
        return [PublicKey.parse(one) for one in given]
    except InvalidHead as error:
        warn(f"error: --public-key: {error}")
        raise typer.Exit(Exit.USAGE) from error


def _anchors(given: list[Path] | None) -> "list[SignedHead]":
    from bot.cli.output import warn
    from engine import InvalidHead, read_anchors

    found = []
    for path in given or []:
        try:
            with path.open(encoding="utf-8", errors="replace") as lines:
                found += read_anchors(lines)
        except (OSError, InvalidHead) as error:
            warn(f"error: --anchor {path}: {error}")
            raise typer.Exit(Exit.USAGE) from error
    return found
