"""moto's server behind a recorder: who made which API call, named as IAM names the action that allows it."""

import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs

_SIGNED = re.compile(r"Credential=([^/]+)/\d{8}/[^/]+/([^/]+)/aws4_request")
_PREFIXES = {"monitoring": "cloudwatch"}
"""Of services that IAM calls by another name than the one that their requests are signed for."""
_S3_OPERATIONS = {
    "GET": "s3:GetObject",
    "HEAD": "s3:GetObject",
    "PUT": "s3:PutObject",
    "DELETE": "s3:DeleteObject",
}


@dataclass(frozen=True)
class Call:
    """One request: whose access key signed it, the IAM action that it needs, and the bucket where it is S3's."""

    who: str
    action: str
    bucket: str = ""


@dataclass
class Recorder:
    """A WSGI application in front of another one. `refuse` sees each S3 path and query, and turns a request away."""

    app: Callable[..., Any]
    calls: set[Call] = field(default_factory=set)
    refuse: Callable[[str, str], bool] = lambda path, query: False

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) if _has_length(environ) else None
        if body is not None:
            environ["wsgi.input"] = io.BytesIO(body)
        signed = _SIGNED.search(environ.get("HTTP_AUTHORIZATION", ""))
        if signed:
            self.calls.add(_call(signed[1], signed[2], environ, body or b""))
            if signed[2] == "redshift-serverless":
                return _credentials(start_response)
        if self.refuse(environ["PATH_INFO"], environ.get("QUERY_STRING", "")):
            start_response("403 Forbidden", [("Content-Type", "application/xml")])
            return [b"<Error><Code>AccessDenied</Code><Message>refused</Message></Error>"]
        return self.app(environ, start_response)


@contextmanager
def recorded_server() -> Iterator[tuple[str, Recorder]]:
    """The address of moto's server, and what it was asked."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log_request(self, *_: object) -> None:
            pass

    recorder = Recorder(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, recorder, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", recorder
    server.shutdown()
    thread.join()


def _has_length(environ: dict[str, Any]) -> bool:
    return environ.get("HTTP_TRANSFER_ENCODING", "").lower() != "chunked"


def _call(who: str, service: str, environ: dict[str, Any], body: bytes) -> Call:
    if service == "s3":
        bucket, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
        query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        return Call(who, _s3_action(environ["REQUEST_METHOD"], key, query), bucket)
    operation = _operation(service, environ, body)
    # A batch of messages is deleted under the same permission as one.
    operation = operation.removesuffix("Batch") if service == "sqs" else operation
    return Call(who, f"{_PREFIXES.get(service, service)}:{operation}")


def _s3_action(method: str, key: str, query: dict[str, list[str]]) -> str:
    """Names of S3's actions are not those of its calls: parts of an upload need what a put needs."""
    if method == "POST" and "delete" in query:
        return "s3:DeleteObject"
    if not key:
        return {"GET": "s3:ListBucket", "HEAD": "s3:ListBucket", "PUT": "s3:CreateBucket"}[method]
    if "uploadId" in query and method != "PUT":
        return {
            "POST": "s3:PutObject",
            "DELETE": "s3:AbortMultipartUpload",
            "GET": "s3:ListMultipartUploadParts",
        }[method]
    if method == "POST" and "uploads" in query:
        return "s3:PutObject"
    return _S3_OPERATIONS[method]


def _operation(service: str, environ: dict[str, Any], body: bytes) -> str:
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return str(target).rpartition(".")[2]
    if smithy := re.search(r"/operation/(\w+)$", environ["PATH_INFO"]):
        return smithy[1]
    if action := parse_qs(body.decode("utf-8", "replace")).get("Action"):
        return action[0]
    for method, path, name in _paths(service):
        if method == environ["REQUEST_METHOD"] and path.fullmatch(environ["PATH_INFO"]):
            return name
    raise AssertionError(f"{service}: {environ['REQUEST_METHOD']} {environ['PATH_INFO']} is no call that is known")


@cache
def _paths(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    """Method and path of each call of a service that is told by them."""
    import boto3

    model: Any = boto3.client(service, region_name="us-east-1").meta.service_model  # type: ignore[call-overload]
    operations = [model.operation_model(name) for name in model.operation_names]
    return [
        (
            operation.http["method"],
            re.compile(re.sub(r"\{[^}]*\}", "[^/]+", operation.http["requestUri"].partition("?")[0]) + "/?"),
            operation.name,
        )
        for operation in operations
    ]


def _credentials(start_response: Callable[..., Any]) -> list[bytes]:
    """What moto lacks: a user and a password of Redshift Serverless."""
    start_response("200 OK", [("Content-Type", "application/x-amz-json-1.1")])
    return [json.dumps({"dbUser": "IAMR:platform", "dbPassword": "for an hour", "expiration": 4e9}).encode()]
