"""AWS's control services, such as Glue, SNS, EMR and Secrets Manager: how long a call to one of them may take."""

from typing import Any

from movie_platform.waits import AWS, Waits

POLLED = 5
"""Tries for questions that a job of hours asks again and again: one that is lost must not end it."""


def aws_client(
    service: Any, waits: Waits = AWS, *, region: str | None = None, attempts: int = 1, silent: float = 0
) -> Any:
    """A client whose calls end: each of so many tries takes at most `waits.connect` seconds until a connection stands,
    and then `waits.answer` without a byte, beside `silent` seconds for which the service itself holds its answer back.
    """
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=waits.connect,
        read_timeout=waits.answer + silent,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )
    return boto3.Session().client(service, region_name=region or None, config=config)
