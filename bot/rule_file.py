"""Who is asked about the gates of another engine, and how: the rules of `signoff.toml`."""

from collections.abc import Iterator, Mapping
from typing import Any

from bot.toml_reader import TomlReader, Where, is_tenant, path_of
from engine import POLICY_KEYS, REJECTING, GateRule, Policy, read_policy

# Every key there is, for the reader and for the page that documents them.
RULE_KEYS = ("tenant", "channel", "reject_options", *POLICY_KEYS)
GATE_ONLY_KEYS = ("dag", "task", "ignore")

_OF_THE_GATE = ("prompt", "inputs", "show")


class RuleReader:
    """Reads who is asked about the gates of one backend."""

    def __init__(self, reader: TomlReader, where: Where) -> None:
        """`where` is the path of the backend's table."""
        self.reader = reader
        self.where = where

    def rules(self, table: Mapping[str, Any], defaults: Policy) -> Iterator[GateRule]:
        """The rules by pattern, and the one that holds without a pattern."""
        rest = self._rule(table, self.where, None, defaults)
        value = table.get("gates", [])
        if not isinstance(value, list):
            told = f"expected a list: [[{path_of(self.where)}.gates]], got {value!r}"
            self.reader.wrong((*self.where, "gates"), told)
            value = []
        for number, entry in enumerate(value, start=1):
            where = (*self.where, f"gates[{number}]")
            yield self._rule(
                known_keys(self.reader, entry, where, (*GATE_ONLY_KEYS, *RULE_KEYS)),
                where,
                rest,
                rest.policy,
            )
        yield rest

    def _rule(
        self, table: Mapping[str, Any], where: Where, rest: GateRule | None, base: Policy
    ) -> GateRule:
        """One rule; what it does not say is as in `rest`."""
        policy, problems = read_policy(table, base, path_of(where))
        self.reader.problems += [f"{self.reader.source}: {problem}" for problem in problems]
        rejecting = REJECTING if rest is None else rest.rejecting
        channel = self.reader.channel(table, where)
        return GateRule(
            dag="*" if rest is None else self._pattern(table, where, "dag"),
            task="*" if rest is None else self._pattern(table, where, "task"),
            tenant=self._tenant(table, where, rest),
            policy=policy,
            channel=channel or (rest.channel if rest else None),
            rejecting=self._options(table, where, rejecting),
            ignored=rest is not None and self.reader.flag(table, where, "ignore"),
        )

    def _tenant(self, table: Mapping[str, Any], where: Where, rest: GateRule | None) -> str:
        value = table.get("tenant")
        if isinstance(value, str) and is_tenant(value):
            return value
        if value is not None or rest is None:
            told = "expected the name of a tenant: whose roles count"
            got = "nothing" if value is None else repr(value)
            self.reader.wrong((*where, "tenant"), f"{told}, got {got}")
        return "" if rest is None else rest.tenant

    def _pattern(self, table: Mapping[str, Any], where: Where, key: str) -> str:
        return self.reader.text(table, where, key, 'a pattern such as "deploy_*"') or "*"

    def _options(
        self, table: Mapping[str, Any], where: Where, otherwise: tuple[str, ...]
    ) -> tuple[str, ...]:
        if "reject_options" not in table:
            return otherwise
        expected = 'a list of options, such as ["Reject", "No"]'
        return tuple(
            self.reader.texts(table["reject_options"], (*where, "reject_options"), expected)
        )


def known_keys(
    reader: TomlReader, value: object, where: Where, known: tuple[str, ...]
) -> dict[str, Any]:
    """The entries whose keys are known; of those that a gate has by itself, that is said."""
    if not isinstance(value, dict):
        return reader.table(value, where, known)
    for key in (key for key in _OF_THE_GATE if key in value):
        told = "this comes from the gate itself, where it is declared; take it out here"
        reader.wrong((*where, key), told)
    left = {key: entry for key, entry in value.items() if key not in _OF_THE_GATE}
    return reader.table(left, where, known)
