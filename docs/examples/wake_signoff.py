"""Wakes Signoff when a gate of Airflow opens, so that it need not wait for its next look.

Paste this into a DAG file and give each gate `notifiers=[WakeSignoff("prod")]`, with the name
that `signoff.toml` has for this Airflow. The token is read from the Variable `signoff_wake_token`.
"""

import logging
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from airflow.sdk import BaseNotifier, Variable


class WakeSignoff(BaseNotifier):
    """Says that there is something to look at. The gate opens whether it is heard or not."""

    def __init__(self, backend: str, url: str = "http://127.0.0.1:8791") -> None:
        super().__init__()
        self.address = f"{url}/wake/{backend}"

    def notify(self, context: Any) -> None:  # noqa: ARG002 (Airflow's signature)
        """Tell it within two seconds. Whatever is raised here would fail the gate: nothing is."""
        try:
            headers = {"Authorization": f"Bearer {Variable.get('signoff_wake_token')}"}
            request = Request(self.address, b"", headers, method="POST")  # noqa: S310 (ours)
            build_opener(ProxyHandler({})).open(request, timeout=2).close()
        except Exception as error:  # noqa: BLE001 (see above)
            why = getattr(error, "reason", type(error).__name__)  # which never holds the token
            logging.getLogger(__name__).warning("Signoff was not woken: %s", why)
