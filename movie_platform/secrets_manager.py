"""Texts that AWS Secrets Manager keeps, for settings that name one as `secret:<name or ARN>`."""

from movie_platform.aws import aws_client
from movie_platform.errors import PlatformError, SettingsError, WorldUnavailable
from movie_platform.waits import AWS, Waits

REFERENCE = "secret:"
"""How a value starts that stands for a secret."""


def secret_text(name: str, setting: str, waits: Waits = AWS) -> str:
    """A secret's whole text, read anew each time, so that a rotated one is taken up; errors name the setting."""
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        raise SettingsError(f"{setting} names a secret of AWS: install movie-platform[aws]") from None
    try:
        return str(aws_client("secretsmanager", waits).get_secret_value(SecretId=name)["SecretString"]).strip()
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise PlatformError(f"the secret {name}, which {setting} names, could not be read: {code}") from None
    except BotoCoreError as error:
        raise WorldUnavailable(f"the secret {name}, which {setting} names, could not be read: {error}") from None
