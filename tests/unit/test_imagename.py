import pytest
from hypothesis import given
from hypothesis import strategies as st

from hythe.errors import InvalidValue
from hythe.imagename import ImageName, registry_host

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "host", "reference"),
    [
        ("debian", "docker.io", "debian:latest"),
        ("debian:bookworm-slim", "docker.io", "debian:bookworm-slim"),
        ("me/shop", "docker.io", "me/shop:latest"),
        ("docker.io/me/shop:1", "docker.io", "me/shop:1"),
        ("ghcr.io/me/shop:1.2", "ghcr.io", "ghcr.io/me/shop:1.2"),
        ("localhost/shop", "localhost", "localhost/shop:latest"),
        ("127.0.0.1:5000/a/b/c:x", "127.0.0.1:5000", "127.0.0.1:5000/a/b/c:x"),
        (f"ghcr.io/me/shop@{DIGEST}", "ghcr.io", f"ghcr.io/me/shop@{DIGEST}"),
        (f"ghcr.io/me/shop:1@{DIGEST}", "ghcr.io", f"ghcr.io/me/shop@{DIGEST}"),
    ],
)
def test_names(text: str, host: str, reference: str) -> None:
    name = ImageName.parse(text)
    assert (name.host, name.reference) == (host, reference)
    assert ImageName.parse(reference).reference == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        "UPPER",
        "a b",
        "a:",
        ":1",
        "a@sha256:1",
        "a//b",
        "-a",
        "a:-x",
        "/a",
        "http://h/a",
        "a" * 500,
    ],
)
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        ImageName.parse(text)


@given(st.text(max_size=60))
def test_what_passes_is_stable(text: str) -> None:
    try:
        name = ImageName.parse(text)
    except InvalidValue:
        return
    assert ImageName.parse(name.reference).reference == name.reference


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("GHCR.io", "ghcr.io"), ("https://index.docker.io/v1/", "docker.io"),
        ("docker.io", "docker.io"), ("127.0.0.1:5000", "127.0.0.1:5000"), ("http://r:5/", "r:5"),
    ],
)  # fmt: skip
def test_registry_hosts(text: str, host: str) -> None:
    assert registry_host(text) == host


@pytest.mark.parametrize("text", ["", "a b", "a/b", "h:x", "-h", "h@x"])
def test_other_registry_hosts_are_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        registry_host(text)
