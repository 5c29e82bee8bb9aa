"""The files that `signoff init` writes: all of them or none."""

import contextlib
import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from bot.cli.asking import SlackAnswers
from bot.cli.session import os_caller
from bot.cli.starter import HELLO, SIGNOFF_TOML

_ENV = """\
# The tokens of the Slack app. A shell reads them with:  set -a; . ./slack.env; set +a
# and a systemd unit with:  EnvironmentFile=
"""


@dataclass(frozen=True, slots=True)
class StartingFile:
    """A file, and whether only its owner may read it."""

    name: str
    content: str
    is_secret: bool = False


def files_of(answers: SlackAnswers | None) -> list[StartingFile]:
    """The files for these answers; None for a start without Slack."""
    toml = _toml(answers or SlackAnswers())
    files = [StartingFile("signoff.toml", toml), StartingFile("hello.yml", HELLO)]
    if answers is not None and answers.bot_token is not None:
        files.append(StartingFile("slack.env", _env(answers), is_secret=True))
    return files


def _toml(answers: SlackAnswers) -> str:
    admins = [f'"os:{os_caller().identity.subject}"']
    if answers.admin is not None:
        admins.append(json.dumps(answers.admin))
    text = SIGNOFF_TOML.replace('"os:{user}"', ", ".join(admins))
    if answers.channel is not None:
        text = text.replace(
            '# channel = "#approvals"', f"channel = {json.dumps(answers.channel)}", 1
        )
    return text


def _env(answers: SlackAnswers) -> str:
    tokens = {"SLACK_BOT_TOKEN": answers.bot_token, "SLACK_APP_TOKEN": answers.app_token}
    lines = [
        f"{name}={shlex.quote(token)}" if token else f"# {name}=" for name, token in tokens.items()
    ]
    return _ENV + "".join(f"{line}\n" for line in lines)


def write_files(folder: Path, files: list[StartingFile]) -> list[Path]:
    """Write them beside their places first, then rename each. Raises `OSError`, and leaves none."""
    folder.mkdir(parents=True, exist_ok=True)
    drafts = {folder / f".{file.name}.{os.getpid()}": file for file in files}
    try:
        for draft, file in drafts.items():
            _write(draft, file)
        return [draft.replace(folder / file.name) for draft, file in drafts.items()]
    finally:
        for draft in drafts:
            with contextlib.suppress(OSError):
                draft.unlink()


def _write(path: Path, file: StartingFile) -> None:
    mode = 0o600 if file.is_secret else 0o666  # the umask takes away what others may not
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(file.content)
