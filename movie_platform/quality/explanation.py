"""Rules in plain words, for whoever reads a check and has never seen the language."""

from movie_platform.quality.conditions import Arithmetic, Call, Condition, Keyword, Negative, Operand, Quantity, Text
from movie_platform.quality.rule_shapes import is_share
from movie_platform.quality.rule_types import FORMAT, HASH_ALGORITHM, IGNORE_CASE, RECENT_FILES, TIME_ZONE, URI_REGEX
from movie_platform.quality.ruleset import CompositeRule, PanderaRule, Rule, SimpleRule

_LISTED = 8


def explain(rule: Rule) -> str:
    """One or two sentences: what must hold, for which rows, and what follows when it does not."""
    claim = _claim(rule)
    return f"{claim[0].upper()}{claim[1:]}. {_consequence(rule)}"


def _consequence(rule: Rule) -> str:
    match rule.action:
        case "block":
            return "When it does not hold, nothing of the delivery is loaded."
        case "warn":
            return "When it does not hold, this is reported and nothing else happens."
    return "When it does not hold, the rows that break it are set aside."


def _claim(rule: Rule) -> str:
    if isinstance(rule, CompositeRule):
        joined = f", {rule.operator} ".join(_claim(member) for member in rule.members)
        return f"{'all of' if rule.operator == 'and' else 'at least one of'}: {joined}"
    if isinstance(rule, PanderaRule):
        return f"the Pandera check {rule.label} holds" + (f' for "{rule.on}"' if rule.on is not None else "")
    assert isinstance(rule, SimpleRule)
    sentence = _simple(rule)
    if rule.where is not None:
        sentence += f", counting only the rows where {rule.where}"
    if rule.option(IGNORE_CASE) == "true":
        sentence += ", whether in upper or in lower case"
    words = {FORMAT: "spelled", RECENT_FILES: "the latest files only, as many as", URI_REGEX: "addresses that fit"}
    words |= {HASH_ALGORITHM: "checksums of", TIME_ZONE: "dates and times of"}
    for name, value in rule.options:
        sentence += f", {words[name]} {value}" if name in words else ""
    if rule.threshold is not None:
        of = "files" if rule.type.startswith("File") else "rows"
        what = f"a share of {of}" if is_share(rule.threshold) else f"a number of {of}"
        sentence += f"; this must be so for {what} {_number_words(rule.threshold)}"
    return sentence


def _simple(rule: SimpleRule) -> str:
    columns = ", ".join(f'"{name}"' for name in rule.parameters)
    condition = _number_words(rule.condition) if rule.condition is not None else ""
    several = len(rule.parameters) > 1
    key = f"combination of {columns}" if several else f"value of {columns}"
    match rule.type:
        case "RowCount":
            return f"the number of rows must be {condition}"
        case "ColumnCount":
            return f"the number of columns must be {condition}"
        case "IsComplete":
            return f"every row must have a value in {columns}"
        case "Completeness":
            return f"the share of rows with a value in {columns} must be {condition}"
        case "IsUnique":
            return f"every {key} must occur once only"
        case "Uniqueness":
            return f"the share of rows whose {key} occurs once only must be {condition}"
        case "IsPrimaryKey":
            return f"{columns} must identify each row: every {key} is there and occurs once only"
        case "UniqueValueRatio":
            return f"of the different values of {columns}, the share that occurs once only must be {condition}"
        case "DistinctValuesCount":
            return f"the number of different values of {columns} must be {condition}"
        case "ColumnValues":
            assert rule.condition is not None
            return f"every value of {columns} must {_value_words(rule.condition)}"
        case "ColumnLength":
            return f"the number of characters in {columns} must be {condition} in every row"
        case "ColumnDataType":
            assert rule.condition is not None
            negated = rule.condition.operator in ("!=", "not in")
            kinds = " or ".join(_operand(operand).strip("\"'") for operand in rule.condition.operands)
            return f"every value of {columns} must {'not ' if negated else ''}be readable as {kinds}"
        case "ColumnExists":
            return f"there must be a column {columns}"
        case "ColumnNamesMatchPattern":
            return f"the name of every column must fit the pattern {rule.parameters[0]}"
        case "Mean" | "Sum" | "Entropy" | "Variance":
            return f"the {rule.type.lower()} of {columns} must be {condition}"
        case "StandardDeviation":
            return f"the standard deviation of {columns} must be {condition}"
        case "ColumnCorrelation":
            return f"the correlation of {columns} must be {condition}"
        case "CustomSql" if rule.condition is not None:
            return f"the number given by the query [{rule.parameters[0]}] must be {condition}"
        case "CustomSql":
            return f"every row must be among those returned by the query [{rule.parameters[0]}]"
        case "DataFreshness":
            return f"the age of every value of {columns} must be {condition}"
    return _comparison(rule, columns, condition)


def _comparison(rule: SimpleRule, columns: str, condition: str) -> str:
    """A rule that holds the data set against another one or its own past, or that is about files."""
    several = len(rule.parameters) > 1
    match rule.type:
        case "ReferentialIntegrity":
            return (
                f"the share of rows whose {rule.parameters[0]} is found in {rule.parameters[1]} must be "
                f"{condition or 'all of them'}"
            )
        case "RowCountMatch":
            return f"rows here, divided by rows of {columns}, must be {condition or 'exactly 1'}"
        case "AggregateMatch":
            return f"{rule.parameters[0]} divided by {rule.parameters[1]} must be {condition or 'exactly 1'}"
        case "DatasetMatch":
            return (
                f'the share of rows equal to those of "{rule.parameters[0]}" with the same {rule.parameters[1]} '
                f"must be {condition or 'all of them'}"
            )
        case "SchemaMatch":
            return (
                f"the share of columns with the same name and type as in {columns} must be {condition or 'all of them'}"
            )
        case "DetectAnomalies":
            of = f" of {', '.join(rule.parameters[1:])}" if len(rule.parameters) > 1 else ""
            return f"{rule.parameters[0]}{of} must be in line with its own history"
        case "FileFreshness":
            return f"every file of {columns} must have been changed {condition}"
        case "FileSize":
            return f"the size of every file of {columns} must be {condition}"
        case "FileMatch" if several:
            return f"the files of {columns} must have the same content"
        case "FileMatch":
            return f"the checksum of every file of {columns} must be {condition or 'given'}"
        case "FileUniqueness":
            return f"the share of files of {columns} whose content is there once must be {condition or 'all of them'}"
    return f"{rule.claim} is not a rule type that can be judged here"


def _value_words(condition: Condition) -> str:
    operands = [_operand(operand) for operand in condition.operands]
    match condition.operator:
        case "matches":
            return f"fit the pattern {operands[0]} from end to end"
        case "not matches":
            return f"not fit the pattern {operands[0]}"
        case "=":
            return f"be {operands[0]}"
        case "!=":
            return f"not be {operands[0]}"
        case "in" | "not in":
            return f"{'not ' if condition.operator == 'not in' else ''}be one of {_enumerated(operands)}"
    return f"be {_number_words(condition)}"


def _number_words(condition: Condition) -> str:
    operands = [_operand(operand) for operand in condition.operands]
    match condition.operator:
        case "between":
            return f"more than {operands[0]} and less than {operands[1]}"
        case "not between":
            return f"at most {operands[0]} or at least {operands[1]}"
        case "=":
            return f"exactly {operands[0]}"
        case "!=":
            return f"anything but {operands[0]}"
        case ">":
            return f"more than {operands[0]}"
        case ">=":
            return f"at least {operands[0]}"
        case "<":
            return f"less than {operands[0]}"
        case "<=":
            return f"at most {operands[0]}"
        case "in":
            return f"one of {_enumerated(operands)}"
        case "not in":
            return f"none of {_enumerated(operands)}"
    return condition.render()


def _enumerated(operands: list[str]) -> str:
    shown = ", ".join(operands[:_LISTED])
    return shown + (f" and {len(operands) - _LISTED} other values" if len(operands) > _LISTED else "")


_KEYWORDS = {"NULL": "missing", "EMPTY": "an empty text", "WHITESPACES_ONLY": "a text of blanks only"}
_FUNCTIONS = {
    "avg": "the mean of",
    "average": "the mean of",
    "sum": "the sum of",
    "min": "the least of",
    "max": "the greatest of",
    "std": "the standard deviation of",
    "median": "the median of",
}


def _operand(operand: Operand) -> str:
    match operand:
        case Text(value=value):
            return f'"{value}"'
        case Keyword(name=name):
            return _KEYWORDS[name]
        case Quantity():
            return operand.render()
        case Negative(operand=inner):
            return f"minus {_operand(inner)}"
        case Arithmetic(operator=operator, left=left, right=right):
            words = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}
            return f"{_operand(left)} {words[operator]} {_operand(right)}"
        case Call(name="now"):
            return "now"
        case Call(name="last", arguments=arguments):
            count = arguments[0].render() if arguments else "1"
            return "its last value" if count == "1" else f"its last {count} values"
        case Call(name="multiply", arguments=arguments):
            return f"{_operand(arguments[0])} times {_operand(arguments[1])}"
        case Call(name="abs", arguments=arguments):
            return f"the size of {_operand(arguments[0])}"
        case Call(name="percentile", arguments=arguments):
            return f"the {_operand(arguments[1])} percentile of {_operand(arguments[0])}"
        case Call(name="index", arguments=arguments):
            return f"value {_operand(arguments[1])}, counted back from the newest, of {_operand(arguments[0])}"
        case Call(name=name, arguments=arguments):
            return f"{_FUNCTIONS[name]} {_operand(arguments[0])}"
    return operand.render()
