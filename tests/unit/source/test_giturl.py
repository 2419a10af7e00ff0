import pytest
from hypothesis import given
from hypothesis import strategies as st

from hythe.errors import BadGitUrl
from hythe.source.giturl import GitUrl, ref_name


@pytest.mark.parametrize(
    ("given_url", "text", "login"),
    [
        ("https://git.example.com/me/shop.git", "https://git.example.com/me/shop.git", None),
        ("https://me:t%40ken@git.example.com:8443/x", "https://git.example.com:8443/x", "me:t@ken"),
        ("https://token@git.example.com/x", "https://git.example.com/x", "token:"),
        ("ssh://git@git.example.com:22/me/x", "ssh://git@git.example.com:22/me/x", None),
        ("git+ssh://git@git.example.com/x", "ssh://git@git.example.com/x", None),
        ("git@git.example.com:me/x.git", "git@git.example.com:me/x.git", None),
        ("git.example.com:/srv/x", "ssh://git.example.com/srv/x", None),
        ("http://127.0.0.1:81/x", "http://127.0.0.1:81/x", None),
        ("http://[::1]:81/x", "http://[::1]:81/x", None),
        ("http://localhost/x", "http://localhost/x", None),
    ],
)
def test_known_forms(given_url: str, text: str, login: str | None) -> None:
    url = GitUrl.parse(given_url)
    assert (url.text, url.login) == (text, login)
    assert GitUrl.parse(url.text).text == text  # what is stored can be read again


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "/x", "./x", "../x", "file:///x", "FILE:///x", "git://h/x", "ftp://h/x", "rsync://h/x",
        "ext::sh -c id", "ext::id", "fd::3", "transport::https://h/x", "http://example.com/x",
        "http://127.0.0.1.example.com/x", "https://", "https://h", "https://h/", "https://h/x#y",
        "https://h/x?y", "https://h:99999/x", "https://-h/x", "-oProxyCommand=id:x", "ssh://-o/x",
        "ssh://-oX=y@h/x", "ssh://u:p@h/x", "git@h:-x", "https://h/a b", "https://h/\nx", "C:\\x",
        "https://" + "x" * 1000 + "/x",
    ],
)  # fmt: skip
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(BadGitUrl):
        GitUrl.parse(text)


def test_plain_http_may_be_allowed() -> None:
    assert GitUrl.parse("http://example.com/x", http=True).host == "example.com"


@given(st.text(max_size=60))
def test_what_passes_is_of_an_allowed_protocol_and_no_option(text: str) -> None:
    try:
        url = GitUrl.parse(text)
    except BadGitUrl:
        return
    assert url.scheme in ("https", "ssh", "http")
    assert url.scheme != "http" or url.on_loopback
    assert not url.text.startswith("-") and not url.host.startswith("-")
    assert not (url.user or "").startswith("-") and "::" not in url.text.split("/")[0]


@pytest.mark.parametrize(
    ("base", "step", "text"),
    [
        ("https://h/me/shop.git", "../lib.git", "https://h/me/lib.git"),
        ("https://h/me/shop.git/", "../../you/lib", "https://h/you/lib"),
        ("https://h/me/shop", "./lib", "https://h/me/shop/lib"),
        ("git@h:me/shop.git", "../lib.git", "git@h:me/lib.git"),
        ("https://h/me/shop", "ssh://git@h/x", "ssh://git@h/x"),
    ],
)
def test_submodules_are_found_beside(base: str, step: str, text: str) -> None:
    assert GitUrl.parse(base).beside(step).text == text


@pytest.mark.parametrize("step", ["../../..", "../../../x", "file:///x", "/x", "ext::id"])
def test_submodules_lead_nowhere_else(step: str) -> None:
    with pytest.raises(BadGitUrl):
        GitUrl.parse("https://h/a").beside(step)


@pytest.mark.parametrize("ref", ["main", "feature/x", "v1.2", "a" * 40, "refs/heads/main", "é"])
def test_refs(ref: str) -> None:
    assert ref_name(ref) == ref


@pytest.mark.parametrize(
    "ref",
    ["", "-x", "--upload-pack=id", "a b", "a..b", "a:b", "+a", "a~1", "a^", "a*", "/a", "a.lock"],
)
def test_other_refs_are_refused(ref: str) -> None:
    with pytest.raises(BadGitUrl):
        ref_name(ref)
