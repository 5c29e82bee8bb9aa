"""`[backends.NAME]` of `signoff.toml`: what it means, and what is said when it is wrong."""

from datetime import timedelta
from pathlib import Path

import pytest

from bot.backend_settings import BackendSettings, Login, SecretKind
from bot.config import load_settings
from bot.environment import Environment
from engine import BackendKind, InvalidSettings, OnExpire, Policy, Principal, ReasonRule, Role
from engine.gates import GateRef

AIRFLOW = """\
[backends.prod]
engine = "airflow"
url = "https://airflow.example.com/"
username = "signoff"
password_from = "AIRFLOW_PASSWORD"
tenant = "acme"
"""

FULL = (
    AIRFLOW
    + """\
ca_file = "ca.pem"
poll_s = 10
channel = "#approvals"
required_role = "Admin"
reason = "required"

[backends.prod.users]
ana = "U012AB"
"bob" = "bob@example.com"

[[backends.prod.gates]]
dag = "deploy_*"
tenant = "ops"
channel = "#deploys"
quorum = 2
approvers = ["S0RELEASE"]
reason = { approve = "none" }
expires_in = "4h"
on_expire = "reject"
self_approval = true
reject_options = ["Reject", "No"]

[[backends.prod.gates]]
dag = "deploy_*"
task = "smoke"
ignore = true
"""
)


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Environment.model_fields:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def configured(folder: Path, toml: str) -> BackendSettings:
    """The one backend of this `signoff.toml`."""
    (folder / "signoff.toml").write_text(toml, encoding="utf-8")
    (backend,) = load_settings().backends
    return backend


def problems(folder: Path, toml: str) -> list[str]:
    """Everything that is said to be wrong."""
    with pytest.raises(InvalidSettings) as caught:
        configured(folder, toml)
    return str(caught.value).splitlines()


def test_a_few_keys_are_enough(tmp_path: Path) -> None:
    """Engine, address, login and tenant: one rule holds for every gate, with the defaults."""
    backend = configured(tmp_path, AIRFLOW)
    assert (backend.name, backend.plan.kind) == ("prod", BackendKind.AIRFLOW)
    assert backend.url == "https://airflow.example.com"
    assert backend.every == timedelta(seconds=3)
    assert backend.login == Login(
        kind=SecretKind.PASSWORD, variable="AIRFLOW_PASSWORD", username="signoff"
    )
    (rule,) = backend.plan.rules
    assert (rule.tenant, rule.policy, rule.channel) == ("acme", Policy(), None)
    assert rule.rejecting == ("Reject",)
    assert rule.matches(GateRef(key="1", dag="any", run="r", task="any"))


def test_the_environments_defaults_hold_for_gates_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """APPROVER_RBAC_ROLE and APPROVAL_EXPIRES_H mean here what they mean for a DAG file."""
    monkeypatch.setenv("APPROVER_RBAC_ROLE", "Admin")
    monkeypatch.setenv("APPROVAL_EXPIRES_H", "1")
    (rule,) = configured(tmp_path, AIRFLOW).plan.rules
    assert (rule.policy.required_role, rule.policy.expires_in) == (Role.ADMIN, timedelta(hours=1))


def test_every_key_arrives_where_it_belongs(tmp_path: Path) -> None:
    """What a pattern does not say is as it stands above; the first that matches holds."""
    backend = configured(tmp_path, FULL)
    assert (backend.ca_file, backend.every) == (tmp_path / "ca.pem", timedelta(seconds=10))
    assert dict(backend.plan.users) == {
        "ana": Principal.parse("U012AB"),
        "bob": Principal.parse("bob@example.com"),
    }
    first, second, rest = backend.plan.rules
    assert (first.dag, first.task, first.tenant) == ("deploy_*", "*", "ops")
    assert first.channel == "#deploys"
    assert first.rejecting == ("Reject", "No")
    assert first.policy == Policy(
        required_role=Role.ADMIN,
        approvers=(Principal.parse("S0RELEASE"),),
        quorum=2,
        self_approval=True,
        approve_reason=ReasonRule.NONE,
        reject_reason=ReasonRule.REQUIRED,
        expires_in=timedelta(hours=4),
        on_expire=OnExpire.REJECT,
    )
    assert (second.ignored, second.tenant, second.channel) == (True, "acme", "#approvals")
    assert second.policy == rest.policy
    assert rest.policy.approve_reason is ReasonRule.REQUIRED
    deploy = GateRef(key="1", dag="deploy_web", run="r", task="smoke")
    assert backend.plan.rule_for(deploy) is first


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", None),
        ('key_from = "PREFECT_KEY"', Login(kind=SecretKind.KEY, variable="PREFECT_KEY")),
        ('auth_from = "PREFECT_AUTH"', Login(kind=SecretKind.AUTH, variable="PREFECT_AUTH")),
    ],
)
def test_prefect_may_do_without_a_login(tmp_path: Path, keys: str, expected: Login | None) -> None:
    """A server of one's own may have none, a key, or a user with a password."""
    toml = f"""\
[backends.flows]
engine = "prefect"
url = "http://127.0.0.1:4200/api"
tenant = "acme"
{keys}
"""
    assert configured(tmp_path, toml).login == expected


def test_an_airflow_may_be_told_a_token(tmp_path: Path) -> None:
    """A token goes alone, without a user."""
    toml = AIRFLOW.replace('username = "signoff"\n', "").replace("password_from", "token_from")
    assert configured(tmp_path, toml).login == Login(
        kind=SecretKind.TOKEN, variable="AIRFLOW_PASSWORD"
    )


def test_reading_needs_no_secret(tmp_path: Path) -> None:
    """The variable that holds a password need not be set for what does not connect."""
    assert configured(tmp_path, AIRFLOW).login is not None


@pytest.mark.parametrize("url", ["http://localhost:8080", "http://127.0.0.9", "http://[::1]:8080"])
def test_http_is_fine_on_this_machine(tmp_path: Path, url: str) -> None:
    """Nobody reads along there."""
    toml = AIRFLOW.replace("https://airflow.example.com/", url)
    assert configured(tmp_path, toml).url == url


def test_http_over_a_network_must_be_asked_for(tmp_path: Path) -> None:
    """`insecure_http = true` says that the network is one's own."""
    toml = AIRFLOW.replace("https:", "http:")
    (problem,) = problems(tmp_path, toml)
    assert problem.startswith("signoff.toml: backends.prod.url: credentials and answers would be")
    assert configured(tmp_path, toml + "insecure_http = true").url.startswith("http:")


def replaced(old: str, new: str) -> str:
    assert old in FULL
    return FULL.replace(old, new, 1)


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        (replaced('"airflow"', '"airflw"'), "prod.engine: expected one of airflow, prefect, got"),
        (replaced('engine = "airflow"\n', ""), "prod.engine: expected one of airflow, prefect"),
        (replaced("https:", "ftp:"), "prod.url: expected an address such as"),
        (replaced("https://", "https://u:hunter2@"), "prod.url: expected an address alone"),
        (replaced("example.com/", "example.com:x"), "prod.url: expected an address such as"),
        (replaced('tenant = "acme"\n', ""), "prod.tenant: expected the name of a tenant"),
        (replaced("poll_s = 10", "poll_s = 0"), "prod.poll_s: expected seconds from 1 to 300"),
        (replaced("poll_s = 10", "poll_s = true"), "prod.poll_s: expected seconds from 1 to 300"),
        (replaced("username", "user_name"), "did you mean 'username'?"),
        (replaced('username = "signoff"\n', ""), "prod.username: expected the name of a user"),
        (replaced("password_from", "key_from"), "prod.key_from: unknown key"),
        (replaced("poll_s = 10", 'token_from = "T"'), "prod: expected either username and"),
        (replaced('"AIRFLOW_PASSWORD"', '"hunter2"'), "prod.password_from: expected the name of"),
        (replaced('"#approvals"', '"two words"'), "prod.channel: expected a channel"),
        (replaced('"Admin"', '"Boss"'), "prod.required_role: expected Operator or Admin"),
        (replaced('"U012AB"', '"S012AB"'), "prod.users.ana: expected one person, got a group"),
        (replaced('"U012AB"', '"nobody!"'), "prod.users.ana: 'nobody!' names nobody"),
        (replaced("quorum = 2", 'quorum = "2"'), "prod.gates[1].quorum: expected a whole number"),
        (replaced('"S0RELEASE"', '"U012AB"'), "prod.gates[1].quorum: 2 can never be reached"),
        (replaced('"none"', '"non"'), "prod.gates[1].reason: 'approve': expected one of"),
        (replaced('"4h"', "07:32:00"), "prod.gates[1].expires_in: expected text, a number"),
        (replaced('"4h"', '"soon"'), "prod.gates[1].expires_in: expected a duration such as"),
        (replaced("quorum = 2", 'prompt = "?"'), "prod.gates[1].prompt: this comes from the gate"),
        (replaced("quorum = 2", "qorum = 2"), "prod.gates[1].qorum: unknown key; did you mean"),
        (replaced("ignore = true", "ignore = 1"), "prod.gates[2].ignore: expected true or false"),
        (replaced('"smoke"', "3"), "prod.gates[2].task: expected a pattern such as"),
        (replaced("backends.prod]", "backends.embedded]"), "backends.embedded: this name is taken"),
        ("[backends.'a b']\n", 'backends."a b": expected a name of letters'),
        ("[backends]\nprod = 3", "backends.prod: expected a table, got 3"),
        (AIRFLOW + "gates = 3", "backends.prod.gates: expected a list"),
    ],
)
def test_what_is_wrong_is_told_by_its_key(tmp_path: Path, toml: str, expected: str) -> None:
    """The sentence names the path of the key, an entry of a list by its number from one."""
    found = problems(tmp_path, toml)
    assert [problem for problem in found if expected in problem], found
    assert all(problem.startswith("signoff.toml: backends") for problem in found)
    assert "hunter2" not in "\n".join(found)


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    """One bad key hides no other, nor one of another backend; nor does a bad engine."""
    toml = replaced("poll_s = 10", "poll_s = 0").replace("quorum = 2", "quorum = 0")
    found = problems(tmp_path, toml + '[backends.flows]\nengine = "prefect"\n')
    assert [problem.split(": ")[1] for problem in found] == [
        "backends.prod.poll_s",
        "backends.prod.gates[1].quorum",
        "backends.flows.url",
        "backends.flows.tenant",
    ]
    found = problems(
        tmp_path, replaced('"airflow"', '"airflw"').replace("poll_s = 10", "poll_s = 0")
    )
    assert [problem.split(": ")[1] for problem in found] == [
        "backends.prod.engine",
        "backends.prod.poll_s",
    ]


def test_settings_hold_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed of them names the variable at most."""
    monkeypatch.setenv("AIRFLOW_PASSWORD", "hunter2")
    monkeypatch.setenv("SIGNOFF_WAKE_TOKEN", "hunter2-hunter2-hunter2")
    configured(tmp_path, FULL)
    assert "hunter2" not in repr(load_settings())


def test_variables_with_secrets_are_known(tmp_path: Path) -> None:
    """So that they can be kept from the worker."""
    configured(tmp_path, FULL)
    assert load_settings().secret_variables == {"AIRFLOW_PASSWORD", "SIGNOFF_WAKE_TOKEN"}


@pytest.mark.parametrize("token", ["hunter2", "hunter2-hunter2-hunter2\n"])
def test_a_poor_wake_token_is_refused_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    """It could be guessed; one with a line break could not be sent."""
    monkeypatch.setenv("SIGNOFF_WAKE_TOKEN", token)
    (problem,) = problems(tmp_path, "")
    assert problem.startswith("SIGNOFF_WAKE_TOKEN: expected a secret of at least 16 characters")
    assert "hunter2" not in problem


@pytest.mark.parametrize("address", ["8791", ":8791", "host:", "host:99999", "host:x", "host: 80"])
def test_where_to_listen_is_a_host_and_a_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """Anything else is told with what was expected."""
    monkeypatch.setenv("SIGNOFF_WAKE_LISTEN", address)
    (problem,) = problems(tmp_path, "")
    assert problem == f"SIGNOFF_WAKE_LISTEN: expected HOST:PORT, got {address!r}"
