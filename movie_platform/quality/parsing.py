"""DQDL text to a Ruleset."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NoReturn

from lark import Token, Transformer, Tree, UnexpectedInput
from lark.exceptions import VisitError
from lark.tree import Meta
from lark.visitors import v_args

from movie_platform.quality.conditions import (
    Arithmetic,
    Call,
    Condition,
    Keyword,
    Negative,
    Number,
    Operand,
    Quantity,
    Text,
    unquote,
)
from movie_platform.quality.errors import RuleNotComputable, RulesetError
from movie_platform.quality.grammar import parser
from movie_platform.quality.parse_errors import end_of, excerpt, refuse
from movie_platform.quality.patterns import Pattern
from movie_platform.quality.rule_shapes import (
    MOST_LABELS,
    Problem,
    count_of,
    problems_of,
    problems_of_analyzer,
    problems_of_keys,
    problems_of_labels,
)
from movie_platform.quality.ruleset import ACTION_LABELS, ACTIONS, Analyzer, CompositeRule, Rule, Ruleset, SimpleRule

FUNCTIONS = {
    "now": (0, 0),
    "last": (0, 1),
    "avg": (1, 1),
    "average": (1, 1),
    "sum": (1, 1),
    "min": (1, 1),
    "max": (1, 1),
    "std": (1, 1),
    "median": (1, 1),
    "percentile": (2, 2),
    "index": (2, 2),
    "abs": (1, 1),
    "multiply": (2, 2),
}
"""The functions of conditions, each with the least and the most arguments that it takes."""

_OPERATORS = {"==": "=", "<>": "!="}


def parse_ruleset(text: str) -> Ruleset:
    """The ruleset that a DQDL text describes.

    Raises RulesetError with line, column and what was expected there, also for what only data could bring to light
    otherwise: a rule type that is not known, a pattern that cannot be used, an option that its rule does not have.
    """
    try:
        tree = parser().parse(text)
    except UnexpectedInput as unexpected:
        refuse(unexpected, text)
    try:
        return _Builder(text).transform(tree)
    except RecursionError:
        raise RulesetError("rules are nested too deeply", line=1, column=1, expected=("fewer levels",)) from None
    except VisitError as failure:
        if isinstance(failure.orig_exc, RulesetError):
            raise failure.orig_exc from None
        raise


class _Constant:
    """A named value of the text; it is gone once the ruleset is built."""

    def __init__(self, name: str, value: Any) -> None:
        self.name = name
        self.value = value


class _Section:
    def __init__(self, kind: str, content: Any) -> None:
        self.kind = kind
        self.content = content


class _Clause:
    def __init__(self, kind: str, content: Any, meta: Meta) -> None:
        self.kind = kind
        self.content = content
        self.meta = meta


class _Builder(Transformer[Token, Ruleset]):
    """Parse tree to rules; what the grammar cannot say is checked here, with the place at hand."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        self._constants: dict[str, Any] = {}

    def transform(self, tree: Tree[Token]) -> Ruleset:
        # Constants first: a rule may use one that is defined further down.
        for section in tree.children:
            if isinstance(section, Tree) and section.data == "constant":
                constant = self._constant_of(section)
                if constant.name in self._constants:
                    self._wrong(section.meta, f"the constant {constant.name} is defined twice")
                self._constants[constant.name] = constant.value
        self._check_nested(tree)
        return super().transform(tree)

    def _check_nested(self, tree: Tree[Token]) -> None:
        """A constant within another one's text is not put in, which is hardly what its author expects."""
        for name, value in self._constants.items():
            for inner in re.findall(r"\$([A-Za-z_][A-Za-z0-9_]*)", value.value if isinstance(value, Text) else ""):
                if inner in self._constants:
                    self._wrong(tree.meta, f"${inner} in the text of {name} is not replaced; write its value there")

    def _constant_of(self, section: Tree[Token]) -> _Constant:
        constant: _Constant = super().transform(section)  # type: ignore[assignment]
        return constant

    def start(self, sections: list[Any]) -> Ruleset:
        rules: list[Rule] = []
        analyzers: list[Analyzer] = []
        labels: dict[str, str] = {}
        seen: set[str] = set()
        for section in sections:
            if not isinstance(section, _Section):
                continue
            if section.kind in seen:
                raise RulesetError(f"{section.kind} stands twice", line=1, column=1)
            seen.add(section.kind)
            match section.kind:
                case "Rules":
                    rules = section.content
                case "Analyzers":
                    analyzers = section.content
                case "DefaultLabels":
                    labels = dict(section.content)
        if not rules and not analyzers:
            line, column = end_of(self._text)
            raise RulesetError("the text holds no rule", line=line, column=column, expected=("Rules = [ ... ]",))
        for rule in rules:
            together = {**labels, **dict(rule.own_labels)}
            if len(together) > MOST_LABELS:
                raise RulesetError(
                    f"{len(together)} labels, the default ones included, and a rule has at most {MOST_LABELS}",
                    line=rule.line,
                    column=rule.column,
                    context=excerpt(self._text, rule.line, rule.column),
                )
        return Ruleset(rules, analyzers=analyzers, default_labels=labels)

    def rules(self, children: list[Any]) -> _Section:
        return _Section("Rules", children[0] if children else [])

    def analyzers(self, children: list[Any]) -> _Section:
        return _Section("Analyzers", children[0] if children else [])

    def default_labels(self, children: list[Any]) -> _Section:
        return _Section("DefaultLabels", children[0])

    @v_args(meta=True)
    def metadata(self, meta: Meta, children: list[Any]) -> _Section:
        self._check(meta, problems_of_keys("Metadata", children[0]))
        return _Section("Metadata", None)

    @v_args(meta=True)
    def sources(self, meta: Meta, children: list[Any]) -> _Section:
        self._check(meta, problems_of_keys("Sources", children[0]))
        return _Section("Sources", None)

    def dictionary(self, children: list[Any]) -> list[str]:
        """Its keys: the values name what the caller gives by itself."""
        return [unquote(str(entry.children[0])) for entry in children if entry is not None]

    def constant(self, children: list[Any]) -> _Constant:
        name, value = children
        return _Constant(str(name), value)

    def rule_list(self, children: list[Any]) -> list[Any]:
        return children

    analyzer_list = rule_list

    @v_args(meta=True)
    def analyzer(self, meta: Meta, children: list[Any]) -> Analyzer:
        name, *rest = children
        where = next((clause.content for clause in rest if isinstance(clause, _Clause)), None)
        parameters = tuple(self._string(part) for part in rest if not isinstance(part, _Clause))
        analyzer = Analyzer(str(name), parameters, where)
        self._check(meta, problems_of_analyzer(analyzer))
        return analyzer

    def labelled_rule(self, children: list[Any]) -> Rule:
        rule: Rule = children[0]
        if len(children) == 1:
            return rule
        return replace(rule, own_labels=(*rule.own_labels, *children[1].content))

    def disjunction(self, children: list[Any]) -> Rule:
        return self._composite("or", children)

    def conjunction(self, children: list[Any]) -> Rule:
        return self._composite("and", children)

    def _composite(self, operator: Any, children: list[Any]) -> Rule:
        first = children[0]
        return CompositeRule(operator=operator, members=tuple(children), line=first.line, column=first.column)

    @v_args(meta=True)
    def rule(self, meta: Meta, children: list[Any]) -> Rule:
        name, *rest = children
        parameters: list[str] = []
        condition: Condition | None = None
        clauses: dict[str, Any] = {}
        options: list[tuple[str, str]] = []
        for part in rest:
            if isinstance(part, Condition):
                condition = part
            elif isinstance(part, _Clause):
                if part.kind == "option":
                    options.append(part.content)
                elif part.kind in clauses:
                    self._wrong(part.meta, f"a rule has at most one {part.kind}")
                else:
                    clauses[part.kind] = part.content
            else:
                parameters.append(self._string(part))
        rule = SimpleRule(
            type=str(name),
            parameters=tuple(parameters),
            condition=condition,
            where=clauses.get("where"),
            threshold=clauses.get("threshold"),
            options=tuple(options),
            own_labels=tuple(clauses.get("labels", ())),
            line=meta.line,
            column=meta.column,
        )
        if rule.type == "ColumnNamesMatchPattern" and len(parameters) == 1:
            self._pattern(meta, Text(parameters[0]))
        self._check(meta, problems_of(rule))
        return rule

    def _check(self, meta: Meta, problems: Iterator[Problem]) -> None:
        found = next(problems, None)
        if found is not None:
            self._wrong(meta, *found)

    def string(self, children: list[Any]) -> Text:
        return Text(unquote(str(children[0])))

    def bare_name(self, children: list[Any]) -> Text:
        return Text(str(children[0]))

    @v_args(meta=True)
    def variable(self, meta: Meta, children: list[Any]) -> Any:
        name = str(children[0])[1:]
        if name not in self._constants:
            self._wrong(meta, f"${name} is not defined", tuple(f"${known}" for known in self._constants))
        return self._constants[name]

    def number(self, children: list[Any]) -> Number:
        return Number(str(children[0]))

    def negative(self, children: list[Any]) -> Operand:
        operand = children[0]
        return (
            Number(f"-{operand.text}") if isinstance(operand, Number) and operand.text[0] != "-" else Negative(operand)
        )

    def unit(self, children: list[Any]) -> str:
        return str(children[0])

    def quantity(self, children: list[Any]) -> Quantity:
        return Quantity(Number(str(children[0])), children[1])

    def keyword(self, children: list[Any]) -> Keyword:
        return Keyword(str(children[0]).upper())

    @v_args(meta=True)
    def call(self, meta: Meta, children: list[Any]) -> Call:
        name, *arguments = children
        if str(name) not in FUNCTIONS:
            self._wrong(meta, f"{name} is not a function", tuple(f"{known}()" for known in FUNCTIONS))
        least, most = FUNCTIONS[str(name)]
        if not least <= len(arguments) <= most:
            self._wrong(meta, f"{name} takes {count_of(least, most)}, not {len(arguments)}")
        return Call(str(name), tuple(arguments))

    def plus(self, children: list[Any]) -> Arithmetic:
        return Arithmetic("+", *children)

    def minus(self, children: list[Any]) -> Arithmetic:
        return Arithmetic("-", *children)

    def times(self, children: list[Any]) -> Arithmetic:
        return Arithmetic("*", *children)

    def divided_by(self, children: list[Any]) -> Arithmetic:
        return Arithmetic("/", *children)

    def value_list(self, children: list[Any]) -> tuple[Operand, ...]:
        return tuple(children)

    def comparison(self, children: list[Any]) -> str:
        return "".join(children)

    @v_args(meta=True)
    def compare(self, meta: Meta, children: list[Any]) -> Condition:
        operator, operand = children
        self._single(meta, operand)
        return Condition(_OPERATORS.get(operator, operator), (operand,))

    @v_args(meta=True)
    def between(self, meta: Meta, children: list[Any]) -> Condition:
        for operand in children:
            self._single(meta, operand)
        return Condition("between", tuple(children))

    @v_args(meta=True)
    def not_between(self, meta: Meta, children: list[Any]) -> Condition:
        for operand in children:
            self._single(meta, operand)
        return Condition("not between", tuple(children))

    @v_args(meta=True)
    def member_of(self, meta: Meta, children: list[Any]) -> Condition:
        return Condition("in", self._members(meta, children[0]))

    @v_args(meta=True)
    def not_member_of(self, meta: Meta, children: list[Any]) -> Condition:
        return Condition("not in", self._members(meta, children[0]))

    @v_args(meta=True)
    def matches(self, meta: Meta, children: list[Any]) -> Condition:
        return Condition("matches", (self._pattern(meta, children[0]),))

    @v_args(meta=True)
    def not_matches(self, meta: Meta, children: list[Any]) -> Condition:
        return Condition("not matches", (self._pattern(meta, children[0]),))

    @v_args(meta=True)
    def where(self, meta: Meta, children: list[Any]) -> _Clause:
        return _Clause("where", self._string(self._literal(meta, children[0])), meta)

    @v_args(meta=True)
    def threshold(self, meta: Meta, children: list[Any]) -> _Clause:
        condition: Condition = children[0]
        if condition.operator in ("matches", "not matches"):
            self._wrong(meta, "a threshold is a share of rows", ("a number from 0 to 1",))
        return _Clause("threshold", condition, meta)

    @v_args(meta=True)
    def option(self, meta: Meta, children: list[Any]) -> _Clause:
        name, value = children
        return _Clause("option", (str(name), unquote(value) if value.type == "STRING" else str(value)), meta)

    @v_args(meta=True)
    def labels(self, meta: Meta, children: list[Any]) -> _Clause:
        return _Clause("labels", children[0], meta)

    @v_args(meta=True)
    def label_list(self, meta: Meta, children: list[Any]) -> tuple[tuple[str, str], ...]:
        labels = tuple(children)
        self._check(meta, problems_of_labels(labels))
        return labels

    @v_args(meta=True)
    def label(self, meta: Meta, children: list[Any]) -> tuple[str, str]:
        key, value = (unquote(str(child)) for child in children)
        if key == ACTION_LABELS[0] and value.lower() not in ACTIONS:
            self._wrong(meta, f"{value!r} is not an action", ACTIONS)
        return key, value

    def _literal(self, meta: Meta, part: Any) -> Any:
        if isinstance(part, Token):
            return self.variable_named(meta, part) if part.type == "VARIABLE" else Text(unquote(str(part)))
        return part

    def variable_named(self, meta: Meta, token: Token) -> Any:
        name = str(token)[1:]
        if name not in self._constants:
            self._wrong(meta, f"${name} is not defined", tuple(f"${known}" for known in self._constants))
        return self._constants[name]

    def _string(self, part: Any) -> str:
        if isinstance(part, Text):
            return part.value
        raise RulesetError("a text is needed here", line=1, column=1, expected=('a quoted text ("...")',))

    def _single(self, meta: Meta, operand: Any) -> None:
        if isinstance(operand, tuple):
            self._wrong(meta, "a list stands where one value is needed", ("one value",))

    def _members(self, meta: Meta, members: Any) -> tuple[Operand, ...]:
        if not isinstance(members, tuple):
            self._wrong(meta, "one value stands where a list is needed", ("[...]",))
        if not members:
            self._wrong(meta, "the list is empty", ("a value",))
        return members

    def _pattern(self, meta: Meta, pattern: Any) -> Text:
        if not isinstance(pattern, Text):
            self._wrong(meta, "a pattern is a quoted text", ('a quoted text ("...")',))
        try:
            Pattern(pattern.value)
        except RuleNotComputable as failure:
            literal = re.compile(r'["$]').search(self._text, meta.start_pos)
            start = literal.start() if literal is not None else meta.start_pos
            line = self._text.count("\n", 0, start) + 1
            column = start - self._text.rfind("\n", 0, start)
            raise RulesetError(
                str(failure), line=line, column=column, context=excerpt(self._text, line, column)
            ) from failure
        return pattern

    def _wrong(self, meta: Meta, message: str, expected: tuple[str, ...] = ()) -> NoReturn:
        raise RulesetError(
            message,
            line=meta.line,
            column=meta.column,
            expected=expected,
            context=excerpt(self._text, meta.line, meta.column),
        )
