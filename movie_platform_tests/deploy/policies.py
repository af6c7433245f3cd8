"""The Terraform files as data: what each policy grants, and why."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import hcl2

FOLDER = Path(__file__).parents[2] / "deploy" / "terraform"
BUCKETS = ("raw", "lake")


@cache
def blocks(kind: str) -> dict[str, dict[str, Any]]:
    """Every block of a kind in all files, by its labels put together: `aws_s3_bucket.raw`."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(FOLDER.glob("*.tf")):
        for block in hcl2.loads(path.read_text()).get(kind, []):
            labels = []
            while not block.get("__is_block__"):
                ((label, block),) = [item for item in block.items() if not item[0].startswith("__")]
                labels.append(label.strip('"'))
            found[".".join(labels)] = block
    return found


def statements(policy: str) -> list[dict[str, Any]]:
    return list(blocks("data")[f"aws_iam_policy_document.{policy}"]["statement"])


def actions(statement: dict[str, Any]) -> list[str]:
    return [str(action).strip('"') for action in statement["actions"]]


def granted(policy: str) -> set[tuple[str, str]]:
    """Each action of a policy, with the bucket that it is granted on where it is one of S3's."""
    grants = set()
    for statement in statements(policy):
        where = [bucket for bucket in BUCKETS if f"aws_s3_bucket.{bucket}.arn" in str(statement["resources"])]
        for action in actions(statement):
            grants |= {(action, bucket) for bucket in (where if action.startswith("s3:") else [""])}
    return grants


def lines_of_actions(policy: str) -> list[str]:
    """The lines of a policy that name an action, comments included."""
    text = (FOLDER / "identity.tf").read_text()
    start = text.index(f'data "aws_iam_policy_document" "{policy}" {{')
    body = text[start : text.index("\n}\n", start)]
    return [line.strip() for line in body.splitlines() if re.match(r'\s*"[a-z0-9-]+:[A-Za-z*]+"', line)]


def prefixes_of_the_client() -> set[str]:
    """The folders of the raw bucket that the client's policy names."""
    return set(re.findall(r'"([\w-]+)"', str(statements("client")[0]["resources"])))
