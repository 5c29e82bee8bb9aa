"""What `signoff init` writes."""

SIGNOFF_TOML = """\
# Signoff's configuration. Secrets do not belong here: tokens come from the environment
# (SLACK_BOT_TOKEN, SLACK_APP_TOKEN). `signoff doctor` says what is still missing.

[slack]
# Where cards go when neither the DAG nor its tenant says so. Invite the bot there.
# channel = "#approvals"

# DAG files in this folder can be started by name, and by the schedule they declare.
# [dags]
# folder = "dags"

# Roles are per tenant; a DAG belongs to `local-dev` unless its file says `tenant_id:`.
# Viewers look, Operators run DAGs and decide, Admins also give roles.
# Name Slack users (U012AB), user groups (S012AB), e-mails, or accounts of this
# machine (os:ana).
[tenants.local-dev.roles]
admin = ["os:{user}"]
operator = []
viewer = []

# A tenant, and a DAG of it, may have a channel of their own:
# [tenants.acme]
# channel = "#acme-approvals"
# [tenants.acme.dags.deploy]
# channel = "#acme-deploys"

# Gates of Airflow or Prefect can be asked about here, too; `signoff backends check` tries it.
# [backends.prod]
# engine = "airflow"
# url = "https://airflow.example.com"
# username = "signoff"
# password_from = "AIRFLOW_PASSWORD"  # the variable that holds it
# tenant = "acme"
"""

HELLO = """\
# A first DAG. Run it with:  signoff run hello.yml
name: hello
tasks:
  - id: build
    # What a command writes to $SIGNOFF_OUTPUT as JSON is given to the tasks after it.
    run: |
      echo "building..."
      echo '{"version": "1.0.0", "files": 3}' > "$SIGNOFF_OUTPUT"

  - id: approve_release
    type: checkpoint
    depends_on: [build]
    prompt: "Release {{ build__version }}?"
    show: [build__version, build__files]
    inputs:
      note: {type: text, description: "Goes into the release notes", required: false}
    # You start this run and approve it yourself. Leave this out where that must not be.
    self_approval: true
    expires_in: 1h

  - id: release
    depends_on: [approve_release]
    # Parents' outputs arrive as {task}__{key}, in the file named by $SIGNOFF_INPUT
    # and, where they are small, in the environment.
    run: |
      echo "releasing $build__version, approved by $approve_release__decided_by"
"""
