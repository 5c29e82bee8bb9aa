"""Declares a DAG in Python and queues a run of it: python deploy.py VERSION.

The run belongs to this machine; its worker drives it (`signoff serve`, `signoff worker`).
"""

import asyncio
import os
import pwd
import socket
import sys
from functools import partial

from engine import (
    Caller,
    Identity,
    IdentityKind,
    InputField,
    Refused,
    SignoffError,
    Store,
    Surface,
    check_dag,
    checkpoint,
    declare,
    shell,
    submit,
)

build = shell("build", """printf '{"files": 12}' > "$SIGNOFF_OUTPUT" """)
approve = checkpoint(
    "approve",
    depends_on=build,
    prompt="Deploy {{ params__version }} ({{ build__files }} files)?",
)
regions = [
    shell(f"deploy_{region}", f'echo "deploying $params__version to {region}"', depends_on=approve)
    for region in ("eu", "us")
]
DEPLOY = declare(
    "deploy",
    build,
    approve,
    *regions,
    params=[InputField(name="version", required=True, maximum=40, description="A tag")],
)


async def queue(store: Store, version: str) -> str:
    """Queue a run as the OS user of this process; returns its id, or leaves with why not."""
    await check_dag(DEPLOY, __file__)
    host, user = socket.gethostname(), pwd.getpwuid(os.getuid()).pw_name
    me = Caller(identity=Identity(IdentityKind.OS, host, user), surface=Surface.CLI, name=user)
    ask = partial(submit, dag=DEPLOY, caller=me, host=host, params={"version": version})
    made = await store.write(ask)
    if isinstance(made, Refused):
        sys.exit(f"os:{user} needs the role {made.reasons[0].needed}")
    return made


def main() -> None:
    """Open the database, queue the run, print its id."""
    if len(sys.argv) != 2:  # noqa: PLR2004 (the script and the version)
        sys.exit("usage: python deploy.py VERSION")
    try:
        store = Store.open(os.environ["SIGNOFF_DATABASE_URL"])
        try:
            print(asyncio.run(queue(store, sys.argv[1])))
        finally:
            store.close()
    except SignoffError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
