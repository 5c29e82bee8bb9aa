"""Who we are on an Airflow: a login, its token, and requests that carry it."""

import asyncio
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from engine.backends.airflow_documents import Me, Token
from engine.backends.http import Answer, Session
from engine.errors import BackendDenied, BackendUnreachable

_FORGED = "Invalid JWT token"
"""The detail of a 403 for a token that Airflow did not sign, or not with its present secret."""

_Read = TypeVar("_Read", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class AirflowPassword:
    """A user of Airflow and the password, which is sent to nothing but `/auth/token`."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AirflowToken:
    """A token that somebody made; when it ends, nothing can be done until there is another."""

    token: str = field(repr=False)


AirflowLogin = AirflowPassword | AirflowToken


class AirflowAccount:
    """Requests to Airflow as one account, logged in when that is needed."""

    def __init__(self, name: str, session: Session, login: AirflowLogin) -> None:
        """`name` is how errors call the backend."""
        self.name = name
        self._session = session
        self._login = login
        self._token = login.token if isinstance(login, AirflowToken) else None
        self._logging_in = asyncio.Lock()
        self._me: Me | None = None

    async def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """One request; `path` begins at Airflow's root. Sent again once if the token has ended.

        What Airflow refuses to somebody it knows is an answer. Raises `BackendDenied` when it
        does not know us, and what `Session.ask` raises.
        """
        token = await self._signed_in()
        answer = await self._send(method, path, body, token)
        if not _is_unknown(answer):
            return answer
        token = await self._signed_in(refused=token)
        answer = await self._send(method, path, body, token)
        if _is_unknown(answer):
            raise BackendDenied(f"{self.name}: Airflow refuses the token that it gave us itself")
        return answer

    async def me(self) -> Me:
        """The account that we are. Raises as `ask` does."""
        if self._me is None:
            self._me = self.read(Me, await self.ask("GET", "/ui/auth/me"))
        return self._me

    def read(self, shape: type[_Read], answer: Answer) -> _Read:
        """The document of an answer that had to be there.

        Raises `BackendDenied` if we lack the right to read it, and `BackendUnreachable` if it
        is not what Airflow says.
        """
        if answer.status == HTTPStatus.FORBIDDEN:
            told = "the account may not read that; give it at least the role Viewer in Airflow"
            raise BackendDenied(f"{self.name}: {told}")
        if not answer.is_ok:
            raise BackendUnreachable(f"{self.name}: answered {answer.status} {answer.detail}")
        try:
            return shape.model_validate(answer.document)
        except ValidationError as error:
            # The error itself repeats what came, which may be anything.
            where = ".".join(map(str, error.errors()[0]["loc"])) or "it"
            told = f"{self.name}: its answer cannot be understood: {where} is not as Airflow says"
            raise BackendUnreachable(told) from None

    async def _signed_in(self, refused: str | None = None) -> str:
        """A token other than the refused one; whoever comes first gets it for all."""
        async with self._logging_in:
            if self._token is None or self._token == refused:
                self._token = await self._new_token()
            return self._token

    async def _new_token(self) -> str:
        if isinstance(self._login, AirflowToken):
            raise BackendDenied(f"{self.name}: the token is refused or has ended; make another")
        body = {"username": self._login.user, "password": self._login.password}
        answer = await self._session.ask("POST", "/auth/token", body=body)
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            told = f"the user or the password is wrong; Airflow knows no such {self._login.user!r}"
            raise BackendDenied(f"{self.name}: {told}")
        return self.read(Token, answer).access_token

    async def _send(self, method: str, path: str, body: Any, token: str) -> Answer:
        headers = {"Authorization": f"Bearer {token}"}
        return await self._session.ask(method, path, body=body, headers=headers)


def _is_unknown(answer: Answer) -> bool:
    return answer.status == HTTPStatus.UNAUTHORIZED or (
        answer.status == HTTPStatus.FORBIDDEN and answer.detail == _FORGED
    )
