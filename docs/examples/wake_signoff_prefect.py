"""Let Prefect wake Signoff when a flow run pauses, instead of being asked every few seconds.

Run it once, where `prefect` is installed and PREFECT_API_URL leads to your server:

    SIGNOFF_WAKE_URL=http://127.0.0.1:8080/wake/staging SIGNOFF_WAKE_TOKEN=... \
        python wake_signoff_prefect.py

It makes a webhook block, which holds the token, and an automation that calls it. Run again, it
replaces both.
"""

import os

from prefect.automations import Automation
from prefect.blocks.webhook import Webhook
from prefect.events.actions import CallWebhook
from prefect.events.schemas.automations import EventTrigger, Posture

NAME = "wake-signoff"

webhook = Webhook(
    method="POST",
    url=os.environ["SIGNOFF_WAKE_URL"],
    headers={"Authorization": f"Bearer {os.environ['SIGNOFF_WAKE_TOKEN']}"},
)
block = webhook.save(NAME, overwrite=True)

try:
    Automation.read(name=NAME).delete()
except ValueError:
    print("there was no such automation yet")

Automation(
    name=NAME,
    description="Tells Signoff that a flow run waits for an answer.",
    trigger=EventTrigger(
        match={"prefect.resource.id": "prefect.flow-run.*"},
        expect={"prefect.flow-run.Paused", "prefect.flow-run.Suspended"},
        posture=Posture.Reactive,
        threshold=1,
    ),
    actions=[CallWebhook(block_document_id=block)],
).create()
print(f"Prefect calls {os.environ['SIGNOFF_WAKE_URL']} whenever a flow run pauses")
