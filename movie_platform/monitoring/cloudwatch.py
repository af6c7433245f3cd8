"""The numbers that alarms look at, as CloudWatch bills them: one for each metric, the worst of all sources."""

from collections.abc import Iterable
from typing import Any

from movie_platform.aws import aws_client
from movie_platform.monitoring.metrics import Sample
from movie_platform.notify.channels import reaching
from movie_platform.waits import AWS, Waits

WORST = {
    "overdue": max,
    "owed_age_seconds": max,
    "partitions_refused": max,
    "run_queue_age_seconds": max,
    "daemon_heartbeat_age_seconds": max,
    "watch_age_seconds": max,
    "readable": min,
}
"""What is sent, and which of several values is the worst. Each costs by the month; the rest is for Prometheus."""


def data_of(samples: Iterable[Sample]) -> list[dict[str, Any]]:
    worst: dict[str, float] = {}
    for of in samples:
        if choose := WORST.get(of.name):
            worst[of.name] = choose(worst.get(of.name, of.value), of.value)
    return [
        {"MetricName": name, "Value": value, "Unit": "Seconds" if name.endswith("_seconds") else "Count"}
        for name, value in worst.items()
    ]


def send(namespace: str, samples: Iterable[Sample], waits: Waits = AWS) -> None:
    """Send them in one call. `WorldUnavailable` where the same call may succeed later."""
    with reaching(f"CloudWatch's namespace {namespace}"):
        aws_client("cloudwatch", waits).put_metric_data(Namespace=namespace, MetricData=data_of(samples))
