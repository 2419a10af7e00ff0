"""The access log's line: plain, or JSON with the same keys."""

import json

from hythe.route.codes import Answer
from hythe.route.request import RequestHead
from hythe.wire import Target


def served(
    head: RequestHead,
    request_id: str,
    fwd: str,
    target: Target | None,
    connect: int,
    service: int,
    status: int,
    size: int,
    scheme: bytes,
    answer: Answer | None = None,
    detail: str = "",
) -> str:
    """A request that had a whole head; times in milliseconds, `size` in bytes of body."""
    begin = _level(answer, detail) if answer else "at=info"
    where = f"instance={target.instance} release={target.release} " if target else ""
    return (
        f'{begin} {head.text} host={head.fields.host} request_id={request_id} fwd="{fwd}" {where}'
        f"connect={connect}ms service={service}ms status={status} bytes={size} "
        f"protocol={'https' if scheme == b'https' else 'http'}\n"
    )


def served_json(
    head: RequestHead,
    request_id: str,
    fwd: str,
    target: Target | None,
    connect: int,
    service: int,
    status: int,
    size: int,
    scheme: bytes,
    answer: Answer | None = None,
    detail: str = "",
) -> str:
    """The same as `served`, as JSON."""
    return _json(
        answer,
        detail,
        method=head.method.decode(),
        path=head.target.decode(),
        host=head.fields.host,
        request_id=request_id,
        fwd=fwd,
        **({"instance": target.instance, "release": target.release} if target else {}),
        connect=connect,
        service=service,
        status=status,
        bytes=size,
        protocol=scheme.decode(),
    )


def refused(
    answer: Answer, *, fwd: str, size: int, scheme: bytes = b"http", as_json: bool = False
) -> str:
    """A request whose head could not be read."""
    protocol = scheme.decode()
    if as_json:
        return _json(answer, "", fwd=fwd, status=answer.status, bytes=size, protocol=protocol)
    level = _level(answer, "")
    return f'{level} fwd="{fwd}" status={answer.status} bytes={size} protocol={protocol}\n'


def _level(answer: Answer | None, detail: str) -> str:
    if answer is None:
        return "at=info"
    return f'at=error code={answer.code} desc="{_desc(answer, detail)}"'


def _json(answer: Answer | None, detail: str, **keys: str | int) -> str:
    """One object a line; times are numbers of milliseconds."""
    begin: dict[str, str | int] = {"at": "info"}
    if answer is not None:
        begin = {"at": "error", "code": answer.code, "desc": _desc(answer, detail)}
    return json.dumps(begin | keys) + "\n"


def _desc(answer: Answer, detail: str) -> str:
    return (f"{answer.cause}: {detail}" if detail else answer.cause).replace('"', "'")
