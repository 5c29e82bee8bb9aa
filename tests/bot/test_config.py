"""The configuration: what is read, what it means, and what is said when it is wrong."""

from datetime import timedelta
from pathlib import Path

import pytest

from bot.config import Settings, load_settings
from bot.environment import Environment
from engine import AuditSurface, Confirm, InvalidSettings, LocalMode, Role

TOML = """\
[slack]
channel = "#approvals"
[tenants.acme]
channel = "#acme-approvals"
[tenants.acme.roles]
admin = ["U012AB", "os:ana"]
operator = ["S012AB", "bob@example.com"]
viewer = []
[tenants.acme.dags.deploy]
channel = "#deploys"
[tenants.acme.dags."night*"]
channel = "#nights"
"""


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Environment.model_fields:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def configured(tmp_path: Path, toml: str) -> Settings:
    """The settings with this `signoff.toml`."""
    (tmp_path / "signoff.toml").write_text(toml, encoding="utf-8")
    return load_settings()


def problems(tmp_path: Path, toml: str = "") -> list[str]:
    """Everything that is said to be wrong."""
    with pytest.raises(InvalidSettings) as caught:
        configured(tmp_path, toml)
    return str(caught.value).splitlines()


def test_nothing_set_gives_the_documented_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an empty environment and no file, every setting has its default."""
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    settings = load_settings()
    assert settings.database_url == "sqlite:////data/signoff/signoff.sqlite"
    assert settings.slack_api_url == "https://slack.com/api/"
    assert settings.approval_expires == timedelta(hours=72)
    assert settings.approver_role is Role.OPERATOR
    assert settings.tick == timedelta(seconds=1)
    assert (settings.local, settings.channel, settings.bot_token) == (None, None, None)
    assert settings.wanted_grants == ()
    assert not settings.config_found


def test_the_file_gives_roles_and_channels(tmp_path: Path) -> None:
    """Every key of the file arrives where it belongs."""
    settings = configured(tmp_path, TOML)
    assert settings.config_found
    assert [(str(w.principal), w.tenant, w.role) for w in settings.wanted_grants] == [
        ("U012AB", "acme", Role.ADMIN),
        ("os:ana", "acme", Role.ADMIN),
        ("S012AB", "acme", Role.OPERATOR),
        ("bob@example.com", "acme", Role.OPERATOR),
    ]


@pytest.mark.parametrize(
    ("tenant", "dag", "wanted", "expected"),
    [
        ("acme", "deploy", "#own", "#own"),
        ("acme", "deploy", None, "#deploys"),
        ("acme", "nightly", None, "#nights"),
        ("acme", "nightly_2", None, "#nights"),
        ("acme", "other", None, "#acme-approvals"),
        ("else", "deploy", None, "#approvals"),
    ],
)
def test_the_nearest_channel_wins(
    tmp_path: Path, tenant: str, dag: str, wanted: str | None, expected: str
) -> None:
    """A card goes where its DAG file says, else per DAG, per tenant, or to the default."""
    assert configured(tmp_path, TOML).channel_for(tenant, dag, wanted) == expected


POLICIES = """\
[tenants.acme.policy]
required_role = "Admin"
expires_in = "8h"
[tenants.acme.dags.deploy_docs]
channel = "#docs"
[tenants.acme.dags.deploy_web.policy]
quorum = 1
[tenants.acme.dags."deploy_*".policy]
quorum = 2
expires_in = "1h"
[tenants.else.dags.deploy.policy]
confirm = "dialog"
"""
HOURS = {8: timedelta(hours=8), 1: timedelta(hours=1), 36: timedelta(hours=36)}


@pytest.mark.parametrize(
    ("tenant", "dag", "expected"),
    [
        pytest.param("acme", "report", (Role.ADMIN, 1, HOURS[8]), id="the tenant's"),
        pytest.param("acme", "deploy_web", (Role.ADMIN, 1, HOURS[8]), id="the first that fits"),
        pytest.param("acme", "deploy_api", (Role.ADMIN, 2, HOURS[1]), id="by pattern"),
        pytest.param("acme", "deploy_docs", (Role.ADMIN, 2, HOURS[1]), id="no policy, no rule"),
        pytest.param("acme", "DEPLOY_X", (Role.ADMIN, 1, HOURS[8]), id="letter case counts"),
        pytest.param("else", "deploy", (Role.OPERATOR, 1, HOURS[36]), id="beneath: the variables"),
        pytest.param("other", "deploy", (Role.OPERATOR, 1, HOURS[36]), id="a tenant without one"),
    ],
)
def test_policies_by_tenant_and_dag(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tenant: str,
    dag: str,
    expected: tuple[Role, int, timedelta],
) -> None:
    """Key by key: the first DAG's policy that fits, the tenant's, the variables."""
    monkeypatch.setenv("APPROVAL_EXPIRES_H", "36")
    found = configured(tmp_path, POLICIES).defaults.policy_for(tenant, dag)
    assert (found.required_role, found.quorum, found.expires_in) == expected
    assert (found.confirm is Confirm.DIALOG) == (tenant == "else")


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        pytest.param(
            "[tenants.a.policy]\nquorom = 2",
            "signoff.toml: tenants.a.policy.quorom: unknown key; did you mean 'quorum'?",
            id="unknown key",
        ),
        pytest.param(
            "[tenants.a.policy]\nquorum = 0",
            "signoff.toml: tenants.a.policy.quorum: expected a whole number from 1 to 50, got '0'",
            id="out of bounds",
        ),
        pytest.param(
            "[tenants.a.policy]\ninputs = {}",
            "signoff.toml: tenants.a.policy.inputs: unknown key",
            id="a form is of one checkpoint",
        ),
        pytest.param(
            '[tenants.a.dags."d*".policy]\non_expire = "escalate"',
            'signoff.toml: tenants.a.dags."d*".policy.on_expire: '
            "'escalate' must say whom to ask then",
            id="by pattern",
        ),
        pytest.param(
            "[tenants.a]\npolicy = 1",
            "signoff.toml: tenants.a.policy: expected a table, got 1",
            id="no table",
        ),
    ],
)
def test_a_wrong_policy_is_told_by_its_key(tmp_path: Path, toml: str, expected: str) -> None:
    """As in a DAG file, with the path of the key for the line."""
    (problem,) = problems(tmp_path, toml)
    assert problem.startswith(expected)


def test_the_environments_channel_goes_before_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGNOFF_CHANNEL wins over the file's default."""
    monkeypatch.setenv("SIGNOFF_CHANNEL", "C0OTHER")
    assert configured(tmp_path, TOML).channel == "C0OTHER"


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("APPROVAL_EXPIRES_H", "nan", "hours above 0"),
        ("APPROVAL_EXPIRES_H", "0", "hours above 0"),
        ("APPROVAL_EXPIRES_H", "9000", "at most 8760"),
        ("APPROVER_RBAC_ROLE", "Viewer", "Operator or Admin"),
        ("USER_RBAC_ROLE", "Boss", "Viewer, Operator or Admin"),
        ("SCHED_TICK_MS", "49", "50 to 60000"),
        ("SCHED_TICK_MS", "1.5", "50 to 60000"),
        ("SIGNOFF_LOCAL_MODE", "perhaps", "true or false"),
        ("SIGNOFF_LOG_LEVEL", "LOUD", "DEBUG, INFO"),
        ("SIGNOFF_CHANNEL", "two words", "a channel"),
        ("SIGNOFF_SOCKETS", "1", "2 to 10"),
        ("SIGNOFF_SOCKETS", "11", "2 to 10"),
        ("SIGNOFF_SLACK_PACE", "0", "0.05 to 100"),
        ("SLACK_API_URL", "ftp://x", "a web address"),
        ("SLACK_BOT_TOKEN", "xapp-swapped", "xoxb-"),
        ("SLACK_APP_TOKEN", "xoxb-swapped", "xapp-"),
    ],
)
def test_a_wrong_variable_is_named_with_what_was_expected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, part: str
) -> None:
    """The sentence begins with the variable and says what it should hold."""
    monkeypatch.setenv(name, value)
    (problem,) = problems(tmp_path)
    assert problem.startswith(f"{name}: expected ")
    assert part in problem


def test_everything_wrong_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables and keys of the file are reported together."""
    monkeypatch.setenv("SCHED_TICK_MS", "soon")
    monkeypatch.setenv("USER_RBAC_ROLE", "Boss")
    found = problems(tmp_path, '[slak]\n[slack]\nchanel = "#a"')
    assert [problem.partition(": expected")[0] for problem in found] == [
        "USER_RBAC_ROLE",
        "SCHED_TICK_MS",
        "signoff.toml: slak: unknown key; did you mean 'slack'?",
        "signoff.toml: slack.chanel: unknown key; did you mean 'channel'?",
    ]


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ("slack = 3", "signoff.toml: slack: expected a table, got 3"),
        ("[tenants.a]\nchannel = 3", "signoff.toml: tenants.a.channel: expected a channel"),
        (
            "[tenants.'a b'.roles]\nadmin = ['nobody!']",
            "signoff.toml: tenants.\"a b\".roles.admin: 'nobody!' names nobody",
        ),
        (
            "[tenants.a.roles]\nadmin = ['U012AB']\nviewer = ['U012AB']",
            "signoff.toml: tenants.a.roles.viewer: U012AB is named under 'admin' already",
        ),
        ("[tenants.a.roles]\nadmins = []", "signoff.toml: tenants.a.roles.admins: unknown key"),
        ("[tenants.a.dags.d]\nchan = ''", "signoff.toml: tenants.a.dags.d.chan: unknown key"),
        ("[dags]\nfolder = 3", "signoff.toml: dags.folder: expected a folder such as"),
        ("[dags]\nfolder = ['a', 3]", "signoff.toml: dags.folder: expected a folder such as"),
        ("[dags]\nfolder = ' '", "signoff.toml: dags.folder: expected the name of a folder"),
        ("[dags]\nfolders = 'a'", "signoff.toml: dags.folders: unknown key"),
        ("[tenants.' a']", 'signoff.toml: tenants." a": expected a tenant name'),
    ],
)
def test_a_wrong_key_is_named_with_its_place(tmp_path: Path, toml: str, expected: str) -> None:
    """Every mistake in the file is told by its full key."""
    (problem,) = problems(tmp_path, toml)
    assert problem.startswith(expected)


def test_what_is_no_toml_is_told_with_its_line(tmp_path: Path) -> None:
    """A syntax error names the file and the line."""
    (problem,) = problems(tmp_path, "[slack]\nchannel = oops")
    assert "signoff.toml: is not TOML" in problem
    assert "line 2" in problem


def test_a_file_named_explicitly_must_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistyped SIGNOFF_CONFIG is an error, not an empty configuration."""
    monkeypatch.setenv("SIGNOFF_CONFIG", str(tmp_path / "sginoff.toml"))
    with pytest.raises(InvalidSettings, match=r"SIGNOFF_CONFIG: there is no file .*sginoff\.toml"):
        load_settings()


def test_secrets_never_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the settings' text nor an error repeats a token or a password."""
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-hunter2")
    monkeypatch.setenv("SLACK_SIGNING_SECRET", "hush-hunter2")
    monkeypatch.setenv("SIGNOFF_DATABASE_URL", "postgresql://ana:pw-hunter2@db/signoff")
    assert "hunter2" not in repr(load_settings())
    monkeypatch.setenv("SLACK_APP_TOKEN", "xoxb-hunter2")
    (problem,) = problems(tmp_path)
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    ("mode", "url", "expected"),
    [
        ("true", "sqlite:///x.sqlite", LocalMode(Role.ADMIN)),
        ("false", "sqlite:///x.sqlite", None),
        ("", "sqlite:///x.sqlite", None),
        ("true", "postgresql://db/signoff", None),
    ],
)
def test_the_users_role_counts_only_in_local_mode_on_sqlite(
    monkeypatch: pytest.MonkeyPatch, mode: str, url: str, expected: LocalMode | None
) -> None:
    """USER_RBAC_ROLE alone, or on a shared database, gives nothing."""
    monkeypatch.setenv("USER_RBAC_ROLE", "admin")
    monkeypatch.setenv("SIGNOFF_LOCAL_MODE", mode)
    monkeypatch.setenv("SIGNOFF_DATABASE_URL", url)
    assert load_settings().local == expected


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """`SCHED_TICK_MS=` in a file of variables means the default."""
    monkeypatch.setenv("SCHED_TICK_MS", "")
    assert load_settings().tick == timedelta(seconds=1)


def test_each_surface_may_have_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The older system's paths say where its surfaces are mirrored; none by default."""
    assert load_settings().mirrors == {}
    monkeypatch.setenv("CHECKPOINTS_PATH", "checkpoints.jsonl")
    monkeypatch.setenv("ORCH_EVENTS_PATH", "/var/log/events.jsonl")
    assert load_settings().mirrors == {
        AuditSurface.CHECKPOINTS: tmp_path / "checkpoints.jsonl",
        AuditSurface.EVENTS: Path("/var/log/events.jsonl"),
    }


def test_two_surfaces_in_one_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file goes on behind its own last line, so it holds one surface only."""
    monkeypatch.setenv("CHECKPOINTS_PATH", str(tmp_path / "all.jsonl"))
    monkeypatch.setenv("STATE_STORE_PATH", "all.jsonl")
    assert problems(tmp_path) == [
        "STATE_STORE_PATH: expected a file of its own, got that of CHECKPOINTS_PATH"
    ]


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ("", []),
        ("[dags]\nfolder = 'dags'", ["dags"]),
        ("[dags]\nfolder = ['dags', '../more', 'dags']", ["dags", "../more"]),
        ("[dags]\nfolder = '/srv/dags'", ["/srv/dags"]),
    ],
)
def test_folders_of_dags_are_meant_from_the_folder_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str, expected: list[str]
) -> None:
    """Wherever a command is typed, the same folders are meant; each counts once."""
    (tmp_path / "signoff.toml").write_text(toml)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("SIGNOFF_CONFIG", str(tmp_path / "signoff.toml"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load_settings().dag_folders == tuple(tmp_path / folder for folder in expected)
