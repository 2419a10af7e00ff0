"""Error responses: a small page for people, JSON for programs that ask for it."""

import html
import json
from http import HTTPStatus

from hythe.route.codes import Answer
from hythe.route.response import ResponseHead

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:16px/1.5 system-ui,sans-serif;color:#1b2733;background:#f6f8fa;margin:0}}
main{{max-width:34rem;margin:18vh auto 0;padding:0 1.5rem}}h1{{font-size:1.5rem;margin:0 0 .5rem}}
p{{margin:.25rem 0}}code{{color:#5b6b7b}}</style></head>
<body><main><h1>{cause}</h1><p>{fix}</p><p><code>{status} {code}</code></p></main></body></html>
"""


def reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def body(answer: Answer, wants_json: bool) -> tuple[str, bytes]:
    """The content type and the bytes that tell an answer."""
    if answer.text:
        return "application/octet-stream", answer.text.encode()
    if wants_json:
        document = {
            "code": answer.code,
            "status": answer.status,
            "cause": answer.cause,
            "fix": answer.fix,
        }
        return "application/json", json.dumps(document).encode() + b"\n"
    page = _PAGE.format(
        title=html.escape(answer.cause),
        cause=html.escape(answer.cause),
        fix=html.escape(answer.fix),
        status=answer.status,
        code=html.escape(answer.code),
    )
    return "text/html; charset=utf-8", page.encode()


def head(answer: Answer, kind: str, length: int) -> ResponseHead:
    """The head of an error response whose body is `length` bytes of `kind`."""
    lines = f"Content-Type: {kind}\r\nCache-Control: no-store\r\n"
    if answer.status >= 400:
        lines += f"Hythe-Error: {answer.code}\r\n"
    if answer.location:
        lines += f"Location: {answer.location}\r\n"
    if answer.retry_after:
        lines += f"Retry-After: {answer.retry_after}\r\n"
    return ResponseHead(
        answer.status, reason(answer.status).encode(), lines.encode(), length=length
    )
