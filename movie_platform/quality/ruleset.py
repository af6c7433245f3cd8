"""Rules as objects: what a ruleset says, in which words, and what follows when a rule does not hold."""

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from movie_platform.quality.rule_types import RULE_TYPES, Scope

if TYPE_CHECKING:
    import pandera.pandas as pandera
from movie_platform.quality.conditions import Condition, quote
from movie_platform.quality.rule_names import condition_words, slug_of, snake_case

Action = Literal["block", "quarantine", "warn"]

ACTIONS: tuple[Action, ...] = ("block", "quarantine", "warn")

ACTION_LABELS = ("action", "severity")
"""The label keys that say what a broken rule leads to; the first one present counts."""


@dataclass(frozen=True, kw_only=True)
class Rule(ABC):
    """One top-level rule of a ruleset, or a member of a composite one.

    Equality is about what the rule says: its name, which only has to be unique in its ruleset, and its place in the
    text do not count.
    """

    own_labels: tuple[tuple[str, str], ...] = ()
    default_labels: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    name: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)
    column: int = field(default=0, compare=False)

    @property
    def text(self) -> str:
        """The rule in DQDL, in one standard spacing, labels included."""
        return self.claim + _render_labels(self.own_labels)

    @property
    @abstractmethod
    def claim(self) -> str:
        """The rule in DQDL without its labels."""

    @property
    def labels(self) -> dict[str, str]:
        """The ruleset's default labels, overridden by the rule's own."""
        return {**dict(self.default_labels), **dict(self.own_labels)}

    @property
    @abstractmethod
    def scope(self) -> Scope:
        """Whether the rule judges each row ("row") or all of them together ("dataset")."""

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The columns that the rule names, in order, each once."""

    @property
    def action(self) -> Action:
        """What a broken rule leads to: block the delivery, quarantine the rows, or only warn.

        Without a label, rows are quarantined; a rule about the whole data set has no rows to set aside and warns.
        """
        for key in ACTION_LABELS:
            value = self.labels.get(key, "").lower()
            if value in ACTIONS:
                return value
        return "quarantine" if self.scope == "row" else "warn"

    @property
    def severity(self) -> Literal["error", "warn"]:
        """How loud a failed check is: a warning when the rule only warns, an error otherwise."""
        return "warn" if self.action == "warn" else "error"

    @abstractmethod
    def slug(self) -> str:
        """A short name made of letters, digits and underscores; the ruleset makes it unique."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, kw_only=True)
class SimpleRule(Rule):
    """`Type "column"... condition where "..." with threshold ...`."""

    type: str
    parameters: tuple[str, ...] = ()
    condition: Condition | None = None
    where: str | None = None
    threshold: Condition | None = None
    options: tuple[tuple[str, str], ...] = ()

    def option(self, name: str) -> str | None:
        """The value of an option in lower case for a switch, as written otherwise; None where it is not given."""
        value = dict(self.options).get(name)
        return value.lower() if value is not None and value.lower() in ("true", "false") else value

    @property
    def claim(self) -> str:
        parts = [self.type, *(quote(parameter) for parameter in self.parameters)]
        if self.condition is not None:
            parts.append(self.condition.render())
        if self.where is not None:
            parts.append(f"where {quote(self.where)}")
        if self.threshold is not None:
            parts.append(f"with threshold {self.threshold.render()}")
        parts.extend(f"with {name} = {quote(value)}" for name, value in self.options)
        return " ".join(parts)

    @property
    def scope(self) -> Scope:
        known = RULE_TYPES.get(self.type)
        if known is None:
            return "dataset"
        if known.name == "CustomSql":
            # A query with a condition gives one number; without one (or with a threshold) it gives the rows that pass.
            return "dataset" if self.condition is not None else "row"
        return known.scope

    @property
    def columns(self) -> tuple[str, ...]:
        known = RULE_TYPES.get(self.type)
        if known is None:
            return ()
        return tuple(dict.fromkeys(known.column_names(self.parameters)))

    def slug(self) -> str:
        subject = "_".join(self.parameters) if self.type != "CustomSql" else ""
        words = [subject, snake_case(self.type)]
        if self.condition is not None:
            words.append(condition_words(self.condition))
        if self.type == "CustomSql":
            words.append(hashlib.sha256(self.parameters[0].encode()).hexdigest()[:6] if self.parameters else "")
        if self.threshold is not None:
            words.append("share_" + condition_words(self.threshold))
        if self.where is not None:
            words.append("where_" + self.where)
        words += [f"{name} {value}" for name, value in self.options]
        # "meta_score in 36 values" says as much as "meta_score column values in 36 values".
        shorter = words[:1] + words[2:] if self.type == "ColumnValues" and subject else words
        return slug_of(" ".join(words), " ".join(shorter))


@dataclass(frozen=True, kw_only=True)
class CompositeRule(Rule):
    """Rules joined by `and` or by `or`."""

    operator: Literal["and", "or"]
    members: tuple[Rule, ...]

    @property
    def claim(self) -> str:
        return f" {self.operator} ".join(f"({member.text})" for member in self.members)

    @property
    def labels(self) -> dict[str, str]:
        of_members = {key: value for member in self.members for key, value in member.labels.items()}
        return {**dict(self.default_labels), **of_members, **dict(self.own_labels)}

    @property
    def scope(self) -> Scope:
        return "row" if all(member.scope == "row" for member in self.members) else "dataset"

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(column for member in self.members for column in member.columns))

    @property
    def action(self) -> Action:
        if any(key in dict(self.own_labels) for key in ACTION_LABELS):
            return super().action
        labelled = [m.action for m in self.members if any(key in m.labels for key in ACTION_LABELS)]
        return min(labelled, key=ACTIONS.index) if labelled else super().action

    def slug(self) -> str:
        return slug_of(f"_{self.operator}_".join(member.slug() for member in self.members))


@dataclass(frozen=True, kw_only=True)
class PanderaRule(Rule):
    """A check of a Pandera model, used as it is; its text names it but is not DQDL."""

    check: "pandera.Check"
    on: str | None
    """The column it judges; None when it judges the whole frame."""
    label: str
    required: bool = True

    @property
    def claim(self) -> str:
        return f"Pandera {quote(self.on)} {self.label}" if self.on is not None else f"Pandera {self.label}"

    @property
    def scope(self) -> Scope:
        return "row"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.on,) if self.on is not None else ()

    def slug(self) -> str:
        return slug_of(f"{self.on or 'frame'} {self.label}")


@dataclass(frozen=True)
class Analyzer:
    """A statistic that is measured and kept in the history without being judged."""

    type: str
    parameters: tuple[str, ...] = ()
    where: str | None = None

    @property
    def text(self) -> str:
        words = [self.type, *(quote(parameter) for parameter in self.parameters)]
        return " ".join(words) + (f" where {quote(self.where)}" if self.where is not None else "")


class Ruleset(Sequence[Rule]):
    """The rules of one data set, in order; every rule has a name of its own.

    Two texts that differ only in comments, spacing or constants' names have the same `digest`.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        *,
        analyzers: Iterable[Analyzer] = (),
        default_labels: Mapping[str, str] | None = None,
    ) -> None:
        self.default_labels: dict[str, str] = dict(default_labels or {})
        defaults = tuple(self.default_labels.items())
        self.rules: tuple[Rule, ...] = _named([replace(rule, default_labels=defaults) for rule in rules])
        self.analyzers: tuple[Analyzer, ...] = tuple(analyzers)

    def __len__(self) -> int:
        return len(self.rules)

    def __getitem__(self, key: Any) -> Any:
        """A rule by place or by name."""
        if isinstance(key, str):
            for rule in self.rules:
                if rule.name == key:
                    return rule
            raise KeyError(key)
        return self.rules[key]

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ruleset):
            return NotImplemented
        return (self.rules, self.analyzers, self.default_labels) == (other.rules, other.analyzers, other.default_labels)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"<Ruleset of {len(self)} rules, {self.digest[:12]}>"

    @cached_property
    def digest(self) -> str:
        """A fingerprint of what the ruleset says: part of what makes a load new."""
        return hashlib.sha256(self.render().encode()).hexdigest()

    def render(self) -> str:
        """The ruleset as DQDL text; parsing it gives an equal ruleset."""
        parts = []
        if self.default_labels:
            parts.append("DefaultLabels = " + _label_list(tuple(self.default_labels.items())))
        if self.analyzers:
            parts.append("Analyzers = [\n    " + ",\n    ".join(a.text for a in self.analyzers) + "\n]")
        parts.append("Rules = [\n    " + ",\n    ".join(rule.text for rule in self.rules) + "\n]")
        return "\n".join(parts) + "\n"


def _render_labels(labels: tuple[tuple[str, str], ...]) -> str:
    return f" labels = {_label_list(labels)}" if labels else ""


def _label_list(labels: tuple[tuple[str, str], ...]) -> str:
    return "[" + ", ".join(f"{quote(key)} = {quote(value)}" for key, value in labels) + "]"


def _named(rules: list[Rule]) -> tuple[Rule, ...]:
    """Unique names that do not change when an unrelated rule is added or removed."""
    slugs = [rule.slug() for rule in rules]
    ambiguous = {slug for slug, times in Counter(slugs).items() if times > 1}
    taken: Counter[str] = Counter()
    named = []
    for rule, slug in zip(rules, slugs, strict=True):
        name = slug
        if slug in ambiguous:
            name = f"{slug}_{hashlib.sha256(rule.claim.encode()).hexdigest()[:6]}"
        taken[name] += 1
        named.append(replace(rule, name=name if taken[name] == 1 else f"{name}_{taken[name]}"))
    return tuple(named)
