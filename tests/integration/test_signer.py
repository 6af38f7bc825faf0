"""Requests of httpx and requests, signed by `signer()`, against SeaweedFS's S3.

boto3 reads what they write: a key that is signed and sent in different ways would be another key.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import requests
from integration.seaweed import ROLE
from recording_proxy import context_for, https_in_front_of

import gcp_aws_bridge as bridge

BUCKET = "signed-requests"
# As a URL, and the key that S3 stores.
KEYS = {
    "plain": "plain",
    "a/b/c": "a/b/c",
    "with space": "with space",
    "with%20space": "with space",
    "a+b": "a+b",
    "a%2Bb": "a+b",
    "a%2bb": "a+b",
    "100%25": "100%",
    "ü/日本": "ü/日本",
    "%C3%BC": "ü",
    "a=b&c": "a=b&c",
    "a:b@c,d;e$f": "a:b@c,d;e$f",
    "!'()*~-_.": "!'()*~-_.",
    "q%3Fx%23y": "q?x#y",
    "[a]": "[a]",
    "%22quoted%22%5E%60%7B%7C%7D": '"quoted"^`{|}',
}


def by_requests(signer: Any, method: str, url: str, **more: Any) -> Any:
    return requests.request(
        method, url, auth=signer, data=more.pop("content", None), timeout=30, **more
    )


def by_httpx(signer: Any, method: str, url: str, **more: Any) -> Any:
    with httpx.Client(auth=signer) as client:
        return client.request(method, url, **more)


def in_a_loop(signer: Any, method: str, url: str, **more: Any) -> Any:
    async def sent() -> Any:
        async with httpx.AsyncClient(auth=signer) as client:
            return await client.request(method, url, **more)

    return asyncio.run(sent())


@pytest.fixture(params=[by_requests, by_httpx, in_a_loop])
def send(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return request.param


@pytest.fixture
def signer(server: str) -> Any:
    hosts = [urlsplit(server).netloc]
    return bridge.signer(ROLE, service="s3", region="us-east-1", hosts=hosts)


@pytest.fixture
def folder(server: str) -> str:
    """Return a URL below which no object exists."""
    s3 = client()
    with contextlib.suppress(s3.exceptions.BucketAlreadyExists):
        s3.create_bucket(Bucket=BUCKET)  # each bucket takes one of the server's few volumes
    return f"{server}/{BUCKET}/{uuid.uuid4().hex}"


def client() -> Any:
    return bridge.session(ROLE).client("s3")


def stored(folder: str) -> dict[str, bytes]:
    prefix, s3 = folder.rpartition("/")[2] + "/", client()
    keys = [
        one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    ]
    return {
        key.removeprefix(prefix): s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        for key in keys
    }


@pytest.mark.parametrize("path", KEYS)
def test_object_is_written_and_read(
    send: Callable[..., Any], signer: Any, folder: str, path: str
) -> None:
    answer = send(signer, "PUT", f"{folder}/{path}", content=b"hello")
    assert 200 == answer.status_code, answer.text
    assert {KEYS[path]: b"hello"} == stored(folder)
    assert b"hello" == send(signer, "GET", f"{folder}/{path}").content
    assert send(signer, "DELETE", f"{folder}/{path}").status_code in (200, 204)
    assert {} == stored(folder)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?list-type=2&prefix=FOLDERa%20b", ["a b/1"]),
        ("?list-type=2&prefix=FOLDERa+b", ["a b/1"]),
        ("?prefix=FOLDERa%2Bb&list-type=2", ["a+b/1"]),
        ("?list-type=2&delimiter=&prefix=FOLDER", ["a b/1", "a+b/1", "c:d/ü"]),
        ("?list-type=2&prefix=FOLDERc:d/", ["c:d/ü"]),
        ("?list-type=2&prefix=FOLDERc:d/ü", ["c:d/ü"]),
        ("?list-type=2&max-keys=1&&prefix=FOLDER", ["a b/1"]),
        ("?list-type=2&unknown=1&unknown=0&prefix=FOLDERc", ["c:d/ü"]),
    ],
)
def test_query_is_signed_as_it_is_read(
    send: Callable[..., Any], signer: Any, folder: str, query: str, expected: list[str]
) -> None:
    url, _, name = folder.rpartition("/")
    for key in ("a b/1", "a+b/1", "c:d/ü"):
        client().put_object(Bucket=BUCKET, Key=f"{name}/{key}", Body=b"")
    answer = send(signer, "GET", url + query.replace("FOLDER", f"{name}/"))
    assert 200 == answer.status_code, answer.text
    assert expected == re.findall(f"<Key>{name}/(.*?)</Key>", answer.text)


def test_subresource_without_a_value_and_headers(
    send: Callable[..., Any], signer: Any, folder: str
) -> None:
    url = f"{folder}/tagged"
    headers = {"Content-Type": "text/plain", "X-Amz-Meta-Name": "a  b", "x-amz-tagging": "a=1"}
    assert 200 == send(signer, "PUT", url, content=b"", headers=headers).status_code
    assert "<Key>a</Key><Value>1</Value>" in send(signer, "GET", f"{url}?tagging").text
    assert "a" in send(signer, "HEAD", url).headers["x-amz-meta-name"]


def test_redundant_slashes_are_signed(send: Callable[..., Any], signer: Any, folder: str) -> None:
    # SeaweedFS stores `a//b` as `a/b`; the signature is of the path that was sent.
    answer = send(signer, "PUT", f"{folder}/a//b", content=b"hello")
    assert 200 == answer.status_code, answer.text
    assert b"hello" == send(signer, "GET", f"{folder}/a//b").content


def test_stream_is_sent_unhashed_over_https(signer: Any, folder: str, tmp_path: Path) -> None:
    context = context_for(tmp_path, "127.0.0.1")
    with https_in_front_of(folder.rpartition(f"/{BUCKET}")[0], context) as url:
        hosts = [urlsplit(url).netloc]
        of_https = bridge.signer(ROLE, service="s3", region="us-east-1", hosts=hosts)
        certificate = str(tmp_path / "authority.pem")
        object_url = f"{url}/{BUCKET}{folder.rpartition(BUCKET)[2]}/a b"
        sent = requests.put(
            object_url, data=Parts(b"he", b"llo"), auth=of_https, verify=certificate, timeout=30
        )
        assert 200 == sent.status_code, sent.text
        assert "UNSIGNED-PAYLOAD" == sent.request.headers["X-Amz-Content-SHA256"]
        verify = ssl.create_default_context(cafile=certificate)
        with httpx.Client(auth=of_https, verify=verify) as client:
            headers = {"Content-Length": "5"}
            sent = client.put(f"{object_url}c", content=Parts(b"he", b"llo"), headers=headers)
            assert 200 == sent.status_code, sent.text
    assert {"a b": b"hello", "a bc": b"hello"} == stored(folder)


class Parts:
    """A body that can be read once, and whose length is known: S3 needs Content-Length."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = iter(parts)

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def __len__(self) -> int:
        return 5


def test_request_that_is_changed_after_it_was_signed_is_rejected(signer: Any, folder: str) -> None:
    with requests.Session() as session:
        for change in ("/other", "?acl"):
            prepared = session.prepare_request(requests.Request("GET", folder, auth=signer))
            prepared.url = f"{prepared.url}{change}"
            answer = session.send(prepared, timeout=30)
            assert (403, True) == (answer.status_code, "SignatureDoesNotMatch" in answer.text)
