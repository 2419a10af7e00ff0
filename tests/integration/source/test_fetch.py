"""Git URLs, fetched from real servers on loopback."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import missing
from gitservers import (
    HttpServer,
    SshServer,
    Upstream,
    http_server,
    make_certificate,
    ssh_server,
    sshd,
)
from integration.source.place import Place, eventually

from hythe import sshkey
from hythe.errors import BadGitUrl
from hythe.model import App, ConfigVar, DeployKey, Deployment, Source, Vault
from hythe.source.intake import Sent
from hythe.transcript import Transcript


class Fetches:
    """Deployments of git URLs of one app."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.app = place.app()

    def begin(self, url: str, ref: str | None = None, sent: Sent | None = None) -> Deployment:
        intake = self.place.stage.intake
        with intake.open(self.app.id):
            return intake.take(self.app, intake.url(url, ref, sent or Sent(), "ada"))

    def end(self, begun: Deployment) -> Deployment:
        ended = ("queued", "failed", "superseded")
        eventually(lambda: self.place.row(begun).status in ended, "the fetch")
        return self.place.row(begun)

    def succeed(self, url: str, ref: str | None = None, sent: Sent | None = None) -> Source:
        deployment = self.end(self.begin(url, ref, sent))
        assert deployment.status == "queued", self.transcript(deployment)
        with self.place.database.read() as session:
            return session.get_one(Source, deployment.source_id)

    def fail(self, url: str, ref: str | None = None) -> Deployment:
        deployment = self.end(self.begin(url, ref))
        assert deployment.status == "failed"
        text = self.transcript(deployment)
        assert f" !     {deployment.error_cause}\n !     {deployment.error_fix}\n" in text
        return deployment

    def transcript(self, deployment: Deployment) -> str:
        return Transcript.of(self.place.settings, deployment.id).read()[0]

    def files(self, source: Source) -> dict[str, str]:
        root = self.place.settings.home / source.path
        return {
            str(path.relative_to(root)): path.read_text()
            for path in root.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def fetches(place: Place) -> Fetches:
    return Fetches(place)


@pytest.fixture
def served(tmp_path: Path) -> Path:
    return tmp_path / "served"


@pytest.fixture
def upstream(served: Path) -> Upstream:
    made = Upstream(served)
    made.commit({"app.py": "first"}, "First")
    made.commit({"app.py": "second"}, "Second")
    return made


@pytest.fixture
def server(upstream: Upstream, served: Path) -> Iterator[HttpServer]:
    with http_server(served) as server:
        yield server


@pytest.fixture
def ssh(tmp_path: Path, served: Path) -> Iterator[SshServer]:
    if sshd() is None:
        missing("sshd", "Debian's package `openssh-server` is not installed.")
    with ssh_server(tmp_path / "sshd") as server:
        yield server


def test_the_default_branch_is_fetched(
    fetches: Fetches, upstream: Upstream, server: HttpServer
) -> None:
    source = fetches.succeed(f"{server.url}/shop.git")
    assert fetches.files(source) == {"app.py": "second"}
    assert source.commit == upstream.git("rev-parse", "HEAD")
    assert source.tree == upstream.git("rev-parse", "HEAD^{tree}")
    assert (source.kind, source.message) == ("url", "Second")
    deployment = fetches.place.later.claim()
    version = fetches.place.later.go_live(deployment)
    kept = {f"refs/hythe/v{version}": source.tree}
    eventually(lambda: fetches.place.refs(fetches.app) == kept, "the tree kept, no branch moved")


@pytest.mark.parametrize("how", ["branch", "tag", "commit", "short commit"])
def test_a_ref_is_fetched(
    fetches: Fetches, upstream: Upstream, server: HttpServer, how: str
) -> None:
    first = upstream.git("rev-parse", "HEAD~1")
    upstream.git("branch", "old/one", first)
    upstream.git("tag", "-a", "-m", "v1", "v1", first)
    upstream.publish()
    ref = {"branch": "old/one", "tag": "v1", "commit": first, "short commit": first[:9]}[how]
    source = fetches.succeed(f"{server.url}/shop.git", ref)
    assert (source.commit, fetches.files(source)) == (first, {"app.py": "first"})


def test_submodules_become_files(
    fetches: Fetches, upstream: Upstream, server: HttpServer, served: Path
) -> None:
    inner, outer = Upstream(served, "inner"), Upstream(served, "lib")
    inner.commit({"deep.txt": "deep"})
    outer.commit({"lib.py": "lib"})
    add = ("-c", "protocol.file.allow=always", "submodule", "add", "-q")
    outer.git(*add, "--name", "in", str(inner.bare), "vendor/inner")
    outer.git("config", "-f", ".gitmodules", "submodule.in.url", f"{server.url}/inner.git")
    outer.commit({})
    upstream.git(*add, "--name", "out", str(outer.bare), "vendor/lib dir")
    upstream.git("config", "-f", ".gitmodules", "submodule.out.url", "../lib.git")
    upstream.commit({})
    files = fetches.files(fetches.succeed(f"{server.url}/shop.git"))
    del files[".gitmodules"], files["vendor/lib dir/.gitmodules"]
    assert files == {
        "app.py": "second",
        "vendor/lib dir/lib.py": "lib",
        "vendor/lib dir/vendor/inner/deep.txt": "deep",
    }


def test_a_submodule_may_not_name_this_machine(
    fetches: Fetches, upstream: Upstream, server: HttpServer, served: Path
) -> None:
    inner = Upstream(served, "inner")
    inner.commit({"a": "a"})
    add = ("-c", "protocol.file.allow=always", "submodule", "add", "-q")
    upstream.git(*add, str(inner.bare), "vendor")
    upstream.commit({})
    deployment = fetches.fail(f"{server.url}/shop.git")
    assert deployment.error_code == "git-url"
    assert "paths of this machine are not allowed" in (deployment.error_cause or "")


def test_lfs_pointers_are_refused_by_name(
    fetches: Fetches, upstream: Upstream, server: HttpServer
) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    upstream.commit({".gitattributes": "*.bin filter=lfs -text\n", "big.bin": pointer})
    deployment = fetches.fail(f"{server.url}/shop.git")
    assert deployment.error_code == "lfs"
    assert "big.bin" in (deployment.error_cause or "")


@pytest.mark.parametrize(
    ("path", "ref", "words"),
    [("/nowhere.git", None, "no repository"), ("/shop.git", "nosuch", "nosuch")],
)
def test_what_does_not_exist_is_said(
    fetches: Fetches, server: HttpServer, path: str, ref: str | None, words: str
) -> None:
    deployment = fetches.fail(server.url + path, ref)
    assert deployment.error_code == "git-missing"
    assert words in (deployment.error_cause or "")


def test_a_server_that_is_away_is_said(fetches: Fetches) -> None:
    assert fetches.fail("http://127.0.0.1:1/shop.git").error_code == "git-away"


def test_a_redirect_to_another_server_is_refused_with_its_target(
    fetches: Fetches, server: HttpServer, served: Path
) -> None:
    with http_server(served) as other:
        server.redirects["/moved.git"] = f"{other.url}/shop.git"
        deployment = fetches.fail(f"{server.url}/moved.git")
        assert deployment.error_code == "git-url"
        assert f"redirects to {other.url}/shop.git" in (deployment.error_cause or "")
        assert other.asked == []


def test_a_redirect_on_the_same_server_is_followed(fetches: Fetches, server: HttpServer) -> None:
    server.redirects["/shop/"] = "/shop.git/"
    assert fetches.files(fetches.succeed(f"{server.url}/shop")) == {"app.py": "second"}


def test_credentials_of_the_url_are_sealed_and_never_shown(
    fetches: Fetches, upstream: Upstream, served: Path
) -> None:
    with http_server(served, login="ada:s3cr3t-token") as server:
        address = f"127.0.0.1:{server.port}/shop.git"
        source = fetches.succeed(f"http://ada:s3cr3t-token@{address}")
        assert source.location == f"http://{address}"
        assert b"s3cr3t-token" not in (source.login or b"")
        with fetches.place.database.read() as session:
            said = "".join(map(fetches.transcript, session.query(Deployment)))
        assert "s3cr3t-token" not in said
        for url in (f"http://{address}", f"http://ada:wrong@{address}"):
            assert fetches.fail(url).error_code == "git-denied"


def test_https_trusts_the_operators_authorities_only(
    fetches: Fetches,
    upstream: Upstream,
    served: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate = make_certificate(tmp_path / "certificate.pem")
    with http_server(served, login="ada:pw", certificate=certificate) as server:
        url = f"https://ada:pw@127.0.0.1:{server.port}/shop.git"
        deployment = fetches.fail(url)
        assert deployment.error_code == "git-away"
        assert "certificate" in (deployment.error_cause or "")
        assert server.asked == []
        monkeypatch.setenv("GIT_SSL_CAINFO", f"{certificate}.crt")
        assert fetches.files(fetches.succeed(url)) == {"app.py": "second"}


def test_credentials_stay_with_their_server(
    fetches: Fetches, upstream: Upstream, served: Path
) -> None:
    with http_server(served, login="ada:pw") as one, http_server(served, login="ada:pw") as two:
        inner = Upstream(served, "inner")
        inner.commit({"a": "a"})
        upstream.git("-c", "protocol.file.allow=always", "submodule", "add", str(inner.bare), "in")
        upstream.git("config", "-f", ".gitmodules", "submodule.in.url", f"{two.url}/inner.git")
        upstream.commit({})
        deployment = fetches.fail(f"http://ada:pw@127.0.0.1:{one.port}/shop.git")
        assert deployment.error_code == "git-denied"
        assert any(one.asked) and not any(two.asked)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc", "/srv/shop.git", "./shop", "ext::sh -c id", "ext::id", "fd::17", "-x",
        "http://example.com/shop.git", "ssh://-oProxyCommand=id/x", "git://h/x", "https://h", "",
        "git@-host:x", "ssh://a:b@h/x", "https://h/x?y=1",
    ],
)  # fmt: skip
def test_other_protocols_are_refused_at_once(fetches: Fetches, url: str) -> None:
    with pytest.raises(BadGitUrl):
        fetches.begin(url)


def test_a_silent_server_is_left_after_the_limit(fetches: Fetches, served: Path) -> None:
    fetches.place.settings.__dict__["fetch_timeout"] = 1
    with http_server(served, stall=True) as server:
        assert fetches.fail(f"{server.url}/shop.git").error_code == "fetch-timeout"


def test_a_repository_over_the_limit_is_refused(
    fetches: Fetches, upstream: Upstream, server: HttpServer
) -> None:
    noise = os.urandom(300_000).hex()
    upstream.commit({"noise": noise})
    fetches.place.settings.__dict__["upload_limit"] = 100_000
    assert fetches.fail(f"{server.url}/shop.git").error_code == "too-large"


def test_a_newer_deployment_ends_a_fetch(
    fetches: Fetches, upstream: Upstream, served: Path, server: HttpServer
) -> None:
    with http_server(served, stall=True) as silent:
        first = fetches.begin(f"{silent.url}/shop.git")
        fetches.succeed(f"{server.url}/shop.git")
        assert fetches.place.row(first).status == "superseded"


def test_a_restart_fetches_again(
    fetches: Fetches, upstream: Upstream, served: Path, place: Place
) -> None:
    with http_server(served, stall=True) as server:
        begun = fetches.begin(f"{server.url}/shop.git")
        eventually(lambda: "Fetching" in fetches.transcript(begun), "the fetch to begin")
        place.stage.stop()
        assert place.row(begun).status == "fetching"
        server.stall = False
        again = place.another_stage()
        again.start()
        assert fetches.end(begun).status == "queued"
        again.stop()


def test_app_json_of_the_repository_is_checked_before_the_build(
    fetches: Fetches, upstream: Upstream, server: HttpServer
) -> None:
    upstream.commit({"app.json": json.dumps({"env": {"KEY": {"required": True}}})})
    deployment = fetches.fail(f"{server.url}/shop.git")
    assert deployment.error_code == "missing-config"
    assert "hythe config:set KEY=... -a shop" in (deployment.error_fix or "")
    vault = Vault.open(fetches.place.settings.key_file)
    with fetches.place.database.write() as tx:
        tx.add(ConfigVar(app_id=fetches.app.id, key="KEY", value=vault.seal("v")))
    fetches.succeed(f"{server.url}/shop.git")


def test_a_private_repository_opens_with_the_deploy_key(
    fetches: Fetches, upstream: Upstream, ssh: SshServer
) -> None:
    url = ssh.url(upstream.bare)
    without = fetches.fail(url)
    assert without.error_code == "git-denied"
    assert "hythe git:deploy-key" in (without.error_fix or "")
    public, private = sshkey.make("hythe-shop")
    ssh.allow(public)
    vault = Vault.open(fetches.place.settings.key_file)
    with fetches.place.database.write() as tx:
        tx.add(DeployKey(app_id=fetches.app.id, public=public, private=vault.seal(private)))
    assert fetches.files(fetches.succeed(url)) == {"app.py": "second"}
    known = fetches.place.settings.home / "ssh" / "known_hosts"
    assert f"[127.0.0.1]:{ssh.port} ssh-ed25519" in known.read_text()


def test_another_host_key_than_before_is_refused(
    fetches: Fetches, upstream: Upstream, ssh: SshServer
) -> None:
    known = fetches.place.settings.home / "ssh" / "known_hosts"
    host, _ = sshkey.make("")
    known.write_text(f"[127.0.0.1]:{ssh.port} {host}\n")
    deployment = fetches.fail(ssh.url(upstream.bare))
    assert deployment.error_code == "git-denied"
    assert "another host key than before" in (deployment.error_cause or "")


def test_a_pushed_commit_is_deployed_again(place: Place, fetches: Fetches) -> None:
    copy = place.copy(fetches.app)
    first = copy.commit({"app.py": "first"})
    copy.commit({"app.py": "second"})
    push = copy.push()
    place.later.go_live(place.later.claim())
    assert push.end() == 0
    intake = place.stage.intake
    with intake.open(fetches.app.id):
        prepared = intake.commit(fetches.app, first[:10], Sent(), "ada")
        deployment = intake.take(fetches.app, prepared)
    assert (deployment.kind, deployment.status) == ("commit", "queued")
    assert fetches.files(prepared.source) == {"app.py": "first"}
    place.later.go_live(place.later.claim())
    tip = copy.git("rev-parse", "HEAD")
    refs = {"refs/heads/main": tip, "refs/hythe/v1": tip, "refs/hythe/v2": first}
    eventually(lambda: place.refs(fetches.app) == refs, "the branch where it was")


def test_app_of_a_fetch_may_be_destroyed(
    fetches: Fetches, upstream: Upstream, served: Path
) -> None:
    with http_server(served, stall=True) as server:
        begun = fetches.begin(f"{server.url}/shop.git")
        eventually(lambda: "Fetching" in fetches.transcript(begun), "the fetch to begin")
        with fetches.place.database.write() as tx:
            tx.delete(tx.get_one(App, fetches.app.id))
        eventually(
            lambda: not list(fetches.place.settings.home.glob("sources/*/.new-*")), "the end"
        )
