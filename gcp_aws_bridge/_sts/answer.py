"""Answers of STS: credentials, errors, and answers that are not from STS.

The parser is strict: no document type and so no entities, a limited size and depth, UTF-8. It
ignores namespaces and unknown elements. Errors never quote an answer, which may contain keys.

See: AWS STS API reference, "Response Elements" of AssumeRoleWithWebIdentity and AssumeRole.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any
from xml.parsers import expat

from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._tokens.http import http_date

_MOST_BYTES = 1 << 20  # an answer has a few kilobytes, most of which are the session token
_MOST_DEPTH = 16
_FIRST_ERROR = 300  # STS answers no redirects
_CODE = r"[A-Za-z][\w.:-]{0,127}"
# RFC 3339; AWS writes whole seconds and "Z", other servers fractions or an offset.
_TIME = r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.\d{1,9})?(?:[Zz]|([+-])(\d\d):?(\d\d))"

# For each outermost element of an error, the elements around its members.
_ERRORS = {"ErrorResponse": ("Error",), "Error": (), "Response": ("Errors", "Error")}


class UnreadableAnswer(Exception):
    """An answer that is not from STS. Its message says what is missing, and quotes nothing."""


class Unusable(Exception):
    """An answer that cannot be read.

    Attributes:
        why: What is wrong with it.
        status: The HTTP status.
        form: Its media type and encoding, as far as they are known ones.
        date: The server's clock.
    """

    def __init__(self, why: str, status: int, form: str = "", date: datetime | None = None) -> None:
        super().__init__(why)
        self.why, self.status, self.form, self.date = why, status, form, date


class Refused(Exception):
    """An error of STS.

    Attributes:
        code, message, request_id: As in the answer; "" for each that is missing.
        status: The HTTP status.
        date: The clock of STS.
    """

    def __init__(
        self, code: str, message: str, request_id: str, status: int, date: datetime | None = None
    ) -> None:
        super().__init__(code)
        self.code, self.message, self.request_id = code, message, request_id
        self.status, self.date = status, date


class Answer:
    """A result of STS. Its `repr` shows nothing of it.

    Attributes:
        result: The members of the result.
        date: The clock of STS.
    """

    __slots__ = ("date", "result")
    result: Mapping[str, Any]
    date: datetime | None

    def __init__(self, result: Mapping[str, Any], date: datetime | None) -> None:
        self.result, self.date = result, date


def read(operation: str, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """Return the result in an HTTP answer.

    Raises:
        Refused: It is an error of STS.
        Unusable: It is not from STS.
    """
    date = http_date(headers.get("Date"))
    try:
        root, fields = _parsed(body)
        if status >= _FIRST_ERROR:
            raise Refused(*_error(root, fields), status, date)
        result = fields.get(f"{operation}Result") if isinstance(fields, dict) else None
        if root != f"{operation}Response" or not isinstance(result, dict):
            raise UnreadableAnswer(f"no {operation}Result")
    except UnreadableAnswer as error:
        from gcp_aws_bridge._sts.unreadable_answer import known_form  # loaded only for an error

        form = known_form(headers.get("Content-Type", ""), headers.get("Content-Encoding", ""))
        raise Unusable(str(error), status, form, date) from None
    return Answer(result, date)


def credentials_in(result: Mapping[str, Any], account_id: str, region: str = "") -> AwsCredentials:
    """Return the credentials in a result of STS in *region*.

    Raises:
        UnreadableAnswer: They are incomplete.
    """
    found = result.get("Credentials")
    if not isinstance(found, Mapping):
        raise UnreadableAnswer("no Credentials")
    for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"):
        if not isinstance(found.get(name), str) or not found[name]:
            raise UnreadableAnswer(f"no {name}")
    return AwsCredentials(
        access_key_id=found["AccessKeyId"],
        secret_access_key=found["SecretAccessKey"],
        session_token=found["SessionToken"],
        expiration=_time(found.get("Expiration")),
        account_id=account_id,
        region=region,
    )


def _time(value: object) -> datetime:
    """Return the time in a result; botocore's client has parsed it already."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    found = re.fullmatch(_TIME, value.strip(), re.ASCII) if isinstance(value, str) else None
    if found is None:
        raise UnreadableAnswer("no Expiration")
    text, sign, hours, minutes = found.groups()
    try:
        at = datetime.fromisoformat(text.upper()).replace(tzinfo=timezone.utc)
        ahead = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        return at + ahead if sign == "-" else at - ahead
    except (ValueError, OverflowError):
        raise UnreadableAnswer("no Expiration") from None


def _error(root: str, fields: Any) -> tuple[str, str, str]:
    """Return code, message and request id.

    AWS wraps `Error` into `ErrorResponse`; some gateways, like EC2, into `Response` and `Errors`.
    Ceph sends only `Error`, as S3 does.
    """
    outer = fields if isinstance(fields, dict) else {}
    path = _ERRORS.get(root)
    inner: Any = outer if path is not None else None
    for name in path or ():
        inner = inner.get(name) if isinstance(inner, dict) else None
    if not isinstance(inner, dict):
        raise UnreadableAnswer("no Error")
    metadata = outer.get("ResponseMetadata")
    request = outer if not isinstance(metadata, dict) else {**metadata, **outer}
    found = inner.get("Code"), inner.get("Message"), request.get("RequestId")
    code, message, request_id = (text.strip() if isinstance(text, str) else "" for text in found)
    if not re.fullmatch(_CODE, code, re.ASCII):  # a status, or nothing: the page of another server
        raise UnreadableAnswer("no Code")
    return code, message, request_id


def _parsed(body: bytes) -> tuple[str, Any]:
    """Return the name and the content of the outermost element."""
    if len(body) > _MOST_BYTES:
        raise UnreadableAnswer(f"more than {_MOST_BYTES} bytes")
    reader = _Reader()
    parser = expat.ParserCreate("utf-8", " ")  # element names are "NAMESPACE NAME"
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.document_type
    parser.StartElementHandler = reader.start
    parser.CharacterDataHandler = reader.text
    parser.EndElementHandler = reader.end
    try:
        parser.Parse(body, True)
    except expat.ExpatError:
        raise UnreadableAnswer("not XML") from None
    return reader.root


class _Reader:
    """Builds texts and dictionaries from the events of the parser.

    An element with elements in it becomes a dictionary, any other a text. Of several elements with
    one name, no value is kept: None.
    """

    def __init__(self) -> None:
        self.root: tuple[str, Any] = ("", None)
        self._open: list[tuple[str, dict[str, Any], list[str]]] = []

    def document_type(self, *_: object) -> None:
        raise UnreadableAnswer("a document type")

    def start(self, name: str, _: object) -> None:
        if len(self._open) >= _MOST_DEPTH:
            raise UnreadableAnswer("nested too deeply")
        self._open.append((name.rpartition(" ")[2], {}, []))

    def text(self, data: str) -> None:
        self._open[-1][2].append(data)

    def end(self, _: str) -> None:
        name, fields, texts = self._open.pop()
        value: Any = fields or "".join(texts)
        if not self._open:
            self.root = name, value
            return
        siblings = self._open[-1][1]
        siblings[name] = None if name in siblings else value


def network_errors() -> tuple[type[Exception], ...]:
    """Return botocore's network errors for an `except` clause; they have two base classes.

    All transports raise them. Empty if botocore has not been imported, and so none was raised.
    """
    loaded = sys.modules.get("botocore.exceptions")
    return (loaded.HTTPClientError, loaded.ConnectionError) if loaded else ()
