"""deploy/terraform parses, refers only to what it declares, and keeps the promises that its comments make.

`terraform validate` knows more, the schemas of resources above all; .github/workflows/deploy.yml runs it.
"""

import re
from pathlib import Path
from typing import Any

import hcl2
import pytest

from movie_platform.monitoring.cloudwatch import WORST
from movie_platform_tests.deploy.policies import FOLDER, blocks, prefixes_of_the_client, statements

FILES = sorted(FOLDER.glob("*.tf"))
_COMMENT = re.compile(r"(?m)(^|\s)#.*$")
_REFERENCE = re.compile(r"(?<![\w.\"/-])(data\.)?(aws_\w+)\.(\w+)")


def platform_alarms() -> dict[str, dict[str, Any]]:
    """The alarms on the platform's own numbers, by metric."""
    (found,) = [of for of in hcl2.loads((FOLDER / "alarms.tf").read_text())["locals"] if "platform_alarms" in of]
    return {name: dict(alarm) for name, alarm in found["platform_alarms"].items()}


def text() -> str:
    return _COMMENT.sub("", "\n".join(path.read_text() for path in FILES))


def resource(kind: str) -> dict[str, dict[str, Any]]:
    found = {name.partition(".")[2]: block for name, block in blocks("resource").items() if name.startswith(f"{kind}.")}
    assert found, f"there is no {kind}"
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_parses(path: Path) -> None:
    assert hcl2.loads(path.read_text())


def test_what_is_referred_to_is_declared() -> None:
    declared = set(blocks("resource")) | {f"data.{name}" for name in blocks("data")}
    referred = {f"{data}{kind}.{name}" for data, kind, name in _REFERENCE.findall(text())}
    assert len(referred) > 40
    assert referred - declared == set()


@pytest.mark.parametrize(("kind", "prefix"), [("variable", "var"), ("locals", "local")])
def test_variables_and_locals_are_declared_and_all_of_them_used(kind: str, prefix: str) -> None:
    if kind == "variable":
        declared = set(blocks("variable"))
    else:
        declared = {
            name
            for path in FILES
            for block in hcl2.loads(path.read_text()).get("locals", [])
            for name in block
            if not name.startswith("__")
        }
    assert set(re.findall(rf"\b{prefix}\.(\w+)", text())) == declared


def test_every_variable_has_a_type_and_every_variable_and_output_says_what_it_is() -> None:
    assert [name for name, block in blocks("variable").items() if not {"type", "description"} <= set(block)] == []
    assert [name for name, block in blocks("output").items() if "description" not in block] == []


def test_both_buckets_are_versioned_encrypted_closed_and_tidied() -> None:
    assert set(resource("aws_s3_bucket")) == {"raw", "lake"}
    for bucket in ("raw", "lake"):
        assert resource("aws_s3_bucket_versioning")[bucket]["versioning_configuration"][0]["status"] == '"Enabled"'
        encryption = resource("aws_s3_bucket_server_side_encryption_configuration")[bucket]["rule"][0]
        assert encryption["apply_server_side_encryption_by_default"][0]["sse_algorithm"] == '"aws:kms"'
        closed = resource("aws_s3_bucket_public_access_block")[bucket]
        switches = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
        assert [str(closed[switch]).lower() for switch in switches] == ["true"] * 4
        rules = resource("aws_s3_bucket_lifecycle_configuration")[bucket]["rule"]
        assert any("abort_incomplete_multipart_upload" in rule for rule in rules)
        assert any("noncurrent_version_expiration" in rule for rule in rules)
        assert bucket in resource("aws_s3_bucket_policy")


def test_no_rule_expires_what_the_platform_keeps() -> None:
    """Current objects expire only where the platform keeps none of its records."""
    expiring = {
        str(rule["filter"][0]["prefix"]).strip('"')
        for bucket in ("raw", "lake")
        for rule in resource("aws_s3_bucket_lifecycle_configuration")[bucket]["rule"]
        if "expiration" in rule
    }
    assert expiring == {"compute-logs/", "scripts/logs/"}


def test_every_prefix_that_a_source_delivers_under_is_announced() -> None:
    queue = resource("aws_s3_bucket_notification")["raw"]["dynamic"][0]['"queue"']
    assert set(re.findall(r'"([\w-]+)/"', str(queue["for_each"]))) == prefixes_of_the_client()


def test_the_network_reaches_s3_glue_and_monitoring_without_the_internet() -> None:
    endpoints = resource("aws_vpc_endpoint")
    assert endpoints["s3"]["vpc_endpoint_type"] == '"Gateway"'
    assert {'"glue"', '"monitoring"'} <= set(re.findall(r'"\w+"', str(endpoints["interface"]["for_each"])))


def test_nothing_comes_in_from_outside_the_network() -> None:
    for name, rule in resource("aws_vpc_security_group_ingress_rule").items():
        assert "0.0.0.0/0" not in str(rule), name


def test_no_secret_has_its_value_in_a_file_or_in_the_state() -> None:
    assert not any("secret_version" in name for name in blocks("resource"))
    assert not re.search(r"(?i)password\s*=\s*\"", text())


def test_every_alarm_calls_somebody_and_leads_to_its_place_in_the_runbook() -> None:
    runbook = (FOLDER.parents[1] / "docs" / "operations.md").read_text().lower()
    for name, alarm in resource("aws_cloudwatch_metric_alarm").items():
        assert "aws_sns_topic.alerts.arn" in str(alarm["alarm_actions"]), name
        place = str(alarm["alarm_description"]).strip('"').removeprefix("docs/operations.md: ").lower()
        places = [place]
        if place == "${each.value.runbook}":
            places = [of["runbook"].strip('"') for of in platform_alarms().values()]
        assert [place for place in places if f"\n### {place}\n" not in runbook] == [], name


def test_alarms_look_at_the_numbers_that_are_sent() -> None:
    assert set(platform_alarms()) == set(WORST)
    assert '"--cloudwatch' not in text()
    alarm = resource("aws_cloudwatch_metric_alarm")["platform"]
    granted = next(of for of in statements("platform") if of["sid"] == '"SendNumbers"')
    assert (alarm["namespace"], granted["condition"][0]["values"]) == ("${var.name}", ["${var.name}"])
    assert {name: of["than"] for name, of in platform_alarms().items()} == {
        name: '"LessThan"' if worst is min else '"GreaterThan"' for name, worst in WORST.items()
    }


def test_rules_match_the_events_that_the_platform_sends() -> None:
    from datetime import UTC, datetime

    from movie_platform.notify import EvaluationEnded, RulesetUnreadable, RunEnded, TroubleNotice
    from movie_platform.notify.channels import SOURCE

    at = datetime(2026, 1, 5, tzinfo=UTC)
    run = RunEnded("id", "job", False, (), "", at)
    evaluation = EvaluationEnded("id", "movies", "2026-01-05", "rating", 0.0, (), 1, 0, 1, "run", at, ends_as="blocked")
    trouble = TroubleNotice("OVERDUE", "IMDB feed", "freshness", "began", "nothing came", "ask", at, at)
    notices = {
        "failed_runs": run,
        "failed_evaluations": evaluation,
        "troubles": trouble,
        "unreadable_rulesets": RulesetUnreadable("movies", "line 1", at),
    }
    rules = resource("aws_cloudwatch_event_rule")
    targets = resource("aws_cloudwatch_event_target")
    for name, notice in notices.items():
        pattern = str(rules[name]["event_pattern"])
        assert f'"{SOURCE}"' in pattern
        assert f'"{notice.detail_type}"' in pattern
        assert f'"{notice.detail["state"]}"' in pattern
        for path in re.findall(r"\$\.detail\.([\w.]+)", str(targets[name]["input_transformer"])):
            found: Any = notice.detail
            for key in path.split("."):
                found = found[key]
