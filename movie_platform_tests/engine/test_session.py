"""What a Spark session shows of itself to others: on the network, and to whoever lists a machine's processes."""

import json
import os
import subprocess
import sys

import boto3
import pytest

from movie_platform.errors import SettingsError
from movie_platform.settings import load_settings

SESSION = """
import contextlib
import json
import psutil
from movie_platform.engine.spark import start_session

asked = {
    "spark.driver.memory": "600m",
    "spark.hadoop.fs.s3a.secret.key": "MARKED-in-the-setting",
    "spark.hadoop.my.own": "secret:own",
}
session = start_session("shown", master="local[1]", configuration=asked)
arguments, listening = [], []
for program in psutil.Process().children(recursive=True):
    with contextlib.suppress(psutil.NoSuchProcess):  # a shell of Spark's own start that has ended meanwhile
        arguments += program.cmdline()
        listening += [c.laddr.ip for c in program.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
configured = session.sparkContext.getConf()
print(json.dumps({
    "arguments": arguments,
    "listening": listening,
    "ui": session.sparkContext.uiWebUrl,
    "configured": {name: configured.get(name) for name in asked},
}))
session.stop()
"""


def test_a_local_session_listens_on_loopback_and_has_no_secret_among_its_arguments(java: None, aws: str) -> None:
    boto3.client("secretsmanager").create_secret(Name="own", SecretString="MARKED-in-secrets-manager")
    ran = subprocess.run([sys.executable, "-c", SESSION], capture_output=True, text=True, env={**os.environ})
    assert ran.returncode == 0, ran.stderr
    session = json.loads(ran.stdout)
    assert session["ui"].startswith("http://127.0.0.1:")
    assert {address.removeprefix("::ffff:") for address in session["listening"]} == {"127.0.0.1"}
    assert "spark.driver.memory=600m" in session["arguments"]
    assert "MARKED" not in "\n".join(session["arguments"])
    assert session["configured"] == {
        "spark.driver.memory": "600m",
        "spark.hadoop.fs.s3a.secret.key": "MARKED-in-the-setting",
        "spark.hadoop.my.own": "MARKED-in-secrets-manager",
    }


@pytest.mark.parametrize("engine", ["spark:emr:j-1", "spark:emr-serverless:00f1"])
@pytest.mark.parametrize(
    "conf",
    [
        "spark.hadoop.fs.s3a.secret.key=hunter2",
        "spark.hadoop.fs.s3a.access.key=hunter2",
        "spark.ssl.keyPassword=hunter2",
        "spark.hadoop.proxy=http://me:hunter2@proxy:3128",
    ],
)
def test_a_secret_does_not_travel_in_the_arguments_of_a_job_on_emr(
    engine: str, conf: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOVIE_PLATFORM_ENGINE", engine)
    monkeypatch.setenv("MOVIE_PLATFORM_SPARK_CONF", conf)
    with pytest.raises(SettingsError, match="write secret:<name of a secret>") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("MOVIE_PLATFORM_SPARK_CONF", f"{conf.partition('=')[0]}=secret:mine")
    assert list(load_settings().spark_conf.values()) == ["secret:mine"]


def test_where_credentials_come_from_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIE_PLATFORM_ENGINE", "spark:emr:j-1")
    provider = "spark.hadoop.fs.s3a.aws.credentials.provider=org.example.Provider"
    monkeypatch.setenv("MOVIE_PLATFORM_SPARK_CONF", provider)
    assert load_settings().spark_conf == {provider.partition("=")[0]: "org.example.Provider"}
