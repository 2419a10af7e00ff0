"""The access log's line."""

from hythe.route.codes import Answer
from hythe.route.request import RequestHead
from hythe.wire import Target


def served(
    head: RequestHead,
    *,
    request_id: str,
    fwd: str,
    target: Target | None,
    connect: int,
    service: int,
    status: int,
    size: int,
    answer: Answer | None = None,
    detail: str = "",
    scheme: bytes = b"http",
) -> str:
    """A request that had a whole head; times in milliseconds, `size` in bytes of body."""
    where = f"instance={target.instance} release={target.release} " if target else ""
    return (
        f'{_level(answer, detail)} method={head.method.decode()} path="{head.target.decode()}" '
        f'host={head.fields.host} request_id={request_id} fwd="{fwd}" {where}'
        f"connect={connect}ms service={service}ms status={status} bytes={size} "
        f"protocol={scheme.decode()}\n"
    )


def refused(answer: Answer, *, fwd: str, size: int) -> str:
    """A connection whose request head could not be read."""
    return f'{_level(answer, "")} fwd="{fwd}" status={answer.status} bytes={size} protocol=http\n'


def _level(answer: Answer | None, detail: str) -> str:
    if answer is None:
        return "at=info"
    desc = f"{answer.cause}: {detail}" if detail else answer.cause
    desc = desc.replace('"', "'")
    return f'at=error code={answer.code} desc="{desc}"'
