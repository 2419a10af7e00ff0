"""What git and OpenSSH say, as they said it, and what people are told."""

import pytest

from hythe.errors import BadGitUrl, GitAway, GitDenied, GitSourceMissing, HytheError
from hythe.source.giturl import GitUrl
from hythe.source.refusal import explain


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        ("fatal: unable to access 'x': Could not resolve host: h", GitAway, "resolve"),
        ("ssh: connect to host h port 22: Connection refused", GitAway, "refused"),
        ("fatal: unable to access 'x': server certificate verification failed", GitAway, "cert"),
        ("fatal: could not read Username for 'x': terminal prompts disabled", GitDenied, "read"),
        ("remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'x'",
         GitDenied, "Auth"),
        ("git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.",
         GitDenied, "publickey"),
        ("Host key verification failed.\nfatal: Could not read", GitDenied, "another host key"),
        ("remote: Repository not found.\nfatal: repository 'x' not found",
         GitSourceMissing, "found"),
        ("ERROR: Repository not found.\nfatal: Could not read from remote repository.",
         GitSourceMissing, "ERROR: Repository not found"),
        ("error: cannot run ssh: No such file or directory", GitAway, "not installed"),
        ("fatal: dumb http transport does not support shallow capabilities",
         BadGitUrl, "plain files"),
        ("fatal: couldn't find remote ref nope", GitSourceMissing, "no branch, tag or commit"),
    ],
)  # fmt: skip
def test_the_kind_is_told_apart(said: str, kind: type[HytheError], words: str) -> None:
    error = explain(GitUrl.parse("ssh://git@h/x"), "main", said.splitlines(), has_key=False)
    assert type(error) is kind
    assert words in error.cause


def test_the_fix_for_a_closed_door_depends_on_the_way() -> None:
    ssh, https = GitUrl.parse("git@h:x"), GitUrl.parse("https://h/x")
    closed = ["git@h: Permission denied (publickey)."]
    assert "Make a key" in explain(ssh, "main", closed, has_key=False).fix
    assert "Add the app's public key" in explain(ssh, "main", closed, has_key=True).fix
    assert (
        "USER:TOKEN" in explain(https, "main", ["fatal: Authentication failed"], has_key=True).fix
    )
