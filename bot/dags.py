"""The DAGs that are configured: where they are read from."""

from bot.config import Settings
from engine import DagFolder


def dag_folder(settings: Settings) -> DagFolder | None:
    """The folder, or folders, of `[dags]` in signoff.toml; None when it names none."""
    if not settings.dag_folders:
        return None
    return DagFolder(settings.dag_folders, settings.defaults)
