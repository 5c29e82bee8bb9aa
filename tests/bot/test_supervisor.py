"""What the worker is told of the bot's environment."""

from bot.supervisor import worker_environment


def test_the_worker_is_given_no_secret_of_the_bot() -> None:
    """Slack's tokens, and the variables that hold those of other engines, stay with the bot."""
    environment = {
        "PATH": "/bin",
        "SIGNOFF_DATABASE_URL": "sqlite:////x",
        "SLACK_BOT_TOKEN": "xoxb-1",
        "AIRFLOW_PASSWORD": "hunter2",
    }
    known = worker_environment(environment, {"AIRFLOW_PASSWORD"})
    assert known == {"PATH": "/bin", "SIGNOFF_DATABASE_URL": "sqlite:////x"}
