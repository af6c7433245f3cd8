"""The dashboard and the alert rules are valid, and about the metrics that there are.

`monitoring/test_metrics.py` sees each alert fire.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from movie_platform.monitoring.metrics import HELP, PREFIX

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "deploy" / "grafana"
RUNBOOK = (ROOT / "docs" / "operations.md").read_text()
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load((GRAFANA / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
}
EXPRESSION = re.compile(r"(?P<since>time\(\) - )?(?P<name>\w+)(?:\{(?P<labels>.*)\})? (?P<than>==|>) (?P<number>\d+)")
"""What the alerts say: a comparison of one metric with a number."""


def panels() -> list[Mapping[str, Any]]:
    dashboard = json.loads((GRAFANA / "dashboard.json").read_text())
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def test_the_dashboard_and_the_alerts_show_exactly_the_metrics_that_there_are() -> None:
    shown = [target["expr"] for panel in panels() for target in panel["targets"]]
    asked = [rule["expr"] for rule in ALERTS.values()]
    names = [set(re.findall(r"movie_platform_\w+", expression)) for expression in (*shown, *asked)]
    assert all(len(found) == 1 for found in names)
    assert set().union(*names) == {PREFIX + name for name in HELP}
    assert all(panel["description"] and panel["title"] for panel in panels())


def test_each_alert_names_a_part_of_the_runbook_that_there_is() -> None:
    named = {rule["annotations"]["runbook"] for rule in ALERTS.values()}
    assert [name for name in named if f"### {name}\n" not in RUNBOOK] == []
    assert {rule["labels"]["severity"] for rule in ALERTS.values()} == {"critical", "warning"}
    assert [name for name, rule in ALERTS.items() if not EXPRESSION.fullmatch(rule["expr"])] == []
