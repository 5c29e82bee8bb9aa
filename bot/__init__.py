"""Every way in and out: Slack, the command line, and a local Slack to try it with."""
