"""Contracts back to rulesets: what a contract asks of a table's data as DQDL, and by name what cannot be said so."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from movie_platform.contracts.checks import ENGINE, NATIVE, RULE, native_of
from movie_platform.contracts.foreign import NotARule, column_name, constraints, texts_of
from movie_platform.contracts.reading import ContractUnreadable, Node, read_document
from movie_platform.contracts.writing import RULESET
from movie_platform.quality.errors import RulesetError
from movie_platform.quality.parsing import parse_ruleset
from movie_platform.quality.presentation import harmless
from movie_platform.quality.ruleset import Analyzer, Rule, Ruleset, SimpleRule

_OF_WHOLE_CONTRACT = ("slaProperties",)
_MINOR = ("info", "information", "low", "minor", "warn", "warning")


@dataclass
class Imported:
    """A table's rules, and what of its contract is no rule, with the path in the document."""

    table: str
    ruleset: Ruleset
    left_out: list[str] = field(default_factory=list)

    def render(self) -> str:
        """The ruleset as DQDL, with what was left out as comments."""
        lines = [f"# Not a rule: {harmless(what)}" for what in self.left_out]
        return "".join(f"{' '.join(line.split())}\n" for line in lines) + self.ruleset.render()


def read_contract(data: bytes) -> list[Imported]:
    """The tables of a contract (ODCS 3, YAML or JSON), each with its rules.

    Raises ContractUnreadable where the document is none, or has something of another kind where the standard says what
    stands there. What is right but cannot be said in DQDL is left out and named.
    """
    document = read_document(data)
    if document.get("kind").value != "DataContract":
        raise ContractUnreadable("kind is not DataContract: this is no contract of the Open Data Contract Standard")
    api = document.get("apiVersion").text
    if not api.startswith("v3."):
        raise ContractUnreadable(f"apiVersion is {api}; contracts of version 3 are read")
    tables = list(document.get("schema").items())
    if not tables:
        raise ContractUnreadable("schema is empty: the contract describes no table")
    of_all = [
        f"{entry.path}: {entry.get('property').text} is about the service, not about rows"
        for key in _OF_WHOLE_CONTRACT
        for entry in document.get(key).items()
    ]
    names = Counter(table.get("name").text for table in tables)
    twice = [name for name, times in names.items() if times > 1]
    if twice:
        raise ContractUnreadable(f"schema describes {twice[0]} {names[twice[0]]} times; a table has one description")
    return [_Table(table, of_all).imported() for table in tables]


class _Table:
    def __init__(self, table: Node, left_out: list[str]) -> None:
        self._node = table
        self._name = table.get("name").text
        self._own = _custom(table, RULESET)
        """What the platform wrote beside the checks; None for a contract that it did not write."""
        self._properties = list(table.get("properties").items())
        self._columns = {
            column_name(node): node.get("required").truth or node.get("primaryKey").truth for node in self._properties
        }
        self._left_out = list(left_out)
        self._rules: list[tuple[str, Rule]] = []

    def imported(self) -> Imported:
        if self._own is None:
            for path, texts in constraints(self._node, self._columns):
                self._take(path, "", texts)
        for prop in (None, *self._properties):
            for check in (prop or self._node).get("quality").items():
                self._check(check, prop)
        return Imported(self._name, self._ruleset(), self._left_out)

    def _ruleset(self) -> Ruleset:
        own = self._own
        if own is None:
            return Ruleset(list(dict.fromkeys(rule for _, rule in self._rules)))
        order = {entry.text: place for place, entry in enumerate(own.get("rules").items())}
        rules = [rule for _, rule in sorted(self._rules, key=lambda named: order.get(named[0], len(order)))]
        labels = own.get("defaultLabels")
        return Ruleset(
            rules,
            analyzers=list(self._analyzers(own.get("analyzers"))),
            default_labels={key: labels.get(key).text for key in labels.mapping} if labels.value else None,
        )

    def _analyzers(self, listed: Node) -> Iterator[Analyzer]:
        for entry in listed.items():
            try:
                yield from parse_ruleset(f"Analyzers = [ {entry.text}\n ]").analyzers
            except RulesetError as refused:
                self._left_out.append(f"{entry.path}: {refused.problem}")

    def _check(self, check: Node, prop: Node | None) -> None:
        name = check.get("name").value
        known = name if isinstance(name, str) else ""
        of_native = _custom(check, RULE)
        if of_native is not None:
            rule = self._parsed(of_native.text)
            demands = {key: check.get(key).value for key in NATIVE if check.has(key)}
            if rule is not None and native_of(rule, self._columns) == demands:
                self._rules.append((known, rule))
                return
        column = column_name(prop) if prop is not None else None
        self._take(check.path, known, self._texts(check, column), severity=check.get("severity").value)

    def _texts(self, check: Node, column: str | None) -> Iterator[str]:
        kind = check.get("type").value or "library"
        engine = check.get("engine").value
        if kind == "custom" and engine == ENGINE:
            yield check.get("implementation").text
        elif kind == "custom":
            raise NotARule(f"it is written for {engine}")
        elif kind == "text":
            raise NotARule("it is a text for people")
        else:
            prop = next((node for node in self._properties if column_name(node) == column), None)
            yield from texts_of(check, self._node, prop, self._columns)

    def _take(self, path: str, name: str, texts: Iterator[str], severity: object = None) -> None:
        """Take the rules of one place in the document, all of them or none."""
        found: list[Rule] = []
        try:
            for text in texts:
                found += parse_ruleset(f"Rules = [ {text}\n ]")
        except NotARule as why:
            self._left_out.append(f"{path}: {why}")
            return
        except RulesetError as refused:
            self._left_out.append(f"{path}: {refused.problem}")
            return
        for rule in found:
            is_minor = isinstance(severity, str) and severity.lower() in _MINOR
            if self._own is None and is_minor and isinstance(rule, SimpleRule) and rule.action != "warn":
                rule = self._parsed(f'{rule.text} labels = ["severity" = "warn"]') or rule
            self._rules.append((name, rule))

    @staticmethod
    def _parsed(text: str) -> Rule | None:
        try:
            rules = parse_ruleset(f"Rules = [ {text}\n ]")
        except RulesetError:
            return None
        return rules[0] if len(rules) == 1 else None


def _custom(node: Node, name: str) -> Node | None:
    """The value of a custom property; None where there is none."""
    for entry in node.get("customProperties").items():
        if entry.get("property").value == name:
            return entry.get("value")
    return None
