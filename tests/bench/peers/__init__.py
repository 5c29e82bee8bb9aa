"""The other engines. Each script runs in an environment of its own, never in Signoff's."""
