"""Passwords from where they are kept, and messages without them."""

import json
from typing import Any

from movie_platform.aws import aws_client
from movie_platform.errors import SettingsError, WorldUnavailable
from movie_platform.waits import Waits


def from_secrets_manager(name: str, waits: Waits) -> dict[str, Any]:
    """The user and password in a secret of AWS Secrets Manager."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        text = aws_client("secretsmanager", waits).get_secret_value(SecretId=name)["SecretString"]
        secret = json.loads(text)
        return {"user": secret["username"], "password": secret["password"]}
    except (BotoCoreError, ClientError) as error:
        raise WorldUnavailable(f"the warehouse's secret {name} could not be read: {error}") from None
    except (ValueError, KeyError, TypeError):
        # The cause would show what is in the secret.
        raise SettingsError(f"the warehouse's secret {name} is no JSON with username and password") from None


def without_secret(message: object, arguments: dict[str, Any]) -> str:
    """A driver's message, should it repeat the password that it was given."""
    password = arguments.get("password")
    return str(message).replace(password, "(hidden)") if password else str(message)
