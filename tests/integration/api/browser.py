"""What a browser does: it keeps cookies, says where a request is from, and sends no token."""

from typing import Any

import httpx

from hythe.api import sessions

from .live_api import ControlPlane

NAME = "ada"
PASSWORD = "correct horse battery"


class Browser:
    """A page of the control plane's own origin, which sends the CSRF token when it has one."""

    def __init__(self, plane: ControlPlane) -> None:
        self.http = httpx.Client(base_url=plane.url, timeout=20)
        self.csrf = ""
        self._origin = plane.url
        self.cookie_name = sessions.cookie_name(plane.context.names.installation, "http")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    @property
    def cookie(self) -> str:
        return self.http.cookies.get(self.cookie_name, "")

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Sec-Fetch-Site": "same-origin"}
        if method != "GET":
            headers["Origin"] = self._origin
        if self.csrf:
            headers["X-CSRF-Token"] = self.csrf
        headers |= options.pop("headers", {})
        return self.http.request(method, path, headers=headers, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def set_up(self, code: str, name: str = NAME, password: str = PASSWORD) -> httpx.Response:
        body = {"code": code, "name": name, "password": password}
        return self._signing_in("/v1/setup", body)

    def sign_in(self, name: str = NAME, password: str = PASSWORD) -> httpx.Response:
        return self._signing_in("/v1/session", {"name": name, "password": password})

    def _signing_in(self, path: str, body: dict[str, str]) -> httpx.Response:
        answer = self.request("POST", path, json=body)
        if answer.status_code == 201:
            self.csrf = answer.json()["csrf_token"]
        return answer


def setup_code(api: httpx.Client) -> str:
    """The code of a new set-up link."""
    answer = api.post("/v1/setup/link")
    assert answer.status_code == 201, answer.text
    _page, _, code = answer.json()["url"].partition("/setup#code=")
    return str(code)
