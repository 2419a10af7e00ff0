"""Which builder a Dockerfile needs, and which arguments it may get."""

from pathlib import Path

import pytest

from hythe.engine.docker.dockerfile import Dockerfile


def read(folder: Path, text: str) -> Dockerfile:
    file = folder / "Dockerfile"
    file.write_text(text)
    return Dockerfile.read(file)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("# syntax=docker/dockerfile:1\nFROM a\n", "# syntax="),
        ("FROM a\nRUN --mount=type=cache,target=/c x\n", "RUN --mount"),
        ("FROM a\nrun --network=none x\n", "RUN --network"),
        ("FROM a\nRUN \\\n  # why\n  --security=insecure x\n", "RUN --security"),
        ("# escape=`\nFROM a\nRUN `\n --mount=type=ssh x\n", "RUN --mount"),
        ("FROM a\nCOPY --chown=1 --chmod=644 a /b\n", "COPY --chmod"),
        ("FROM a\nCOPY --link a /b\n", "COPY --link"),
        ("FROM a\nRUN <<EOF\necho\nEOF\n", "RUN <<"),
        ("FROM a\nCOPY <<-'EOF' /b\nx\nEOF\n", "COPY <<"),
        ("FROM --platform=$BUILDPLATFORM a\n", "BUILDPLATFORM"),
        ("FROM a\nARG TARGETARCH\n", "TARGETARCH"),
        ("FROM a\nONBUILD RUN --mount=type=ssh x\n", "RUN --mount"),
    ],
)
def test_what_only_buildkit_can_do_is_found(tmp_path: Path, text: str, reason: str) -> None:
    assert read(tmp_path, text).buildkit == reason


@pytest.mark.parametrize(
    "text",
    [
        "FROM --platform=linux/amd64 a AS b\nCOPY --from=b --chown=1:1 /a /b\n",
        "FROM a\n# RUN --mount=type=cache x\n# syntax=late\n",
        "FROM a\nRUN pip install --mount=x && wc <<<word && echo $((1 << 2))\n",
        "FROM a\nHEALTHCHECK --interval=5s CMD true\nENV A=<<EOF\n",
    ],
)
def test_the_classic_builder_does_the_rest(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text).buildkit is None


def test_an_ignore_file_of_its_own_needs_buildkit(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile.dockerignore").write_text("x\n")
    assert read(tmp_path, "FROM a\n").buildkit == "Dockerfile.dockerignore"


def test_arguments_are_proxies_that_are_not_declared(tmp_path: Path) -> None:
    file = read(tmp_path, "ARG A\nFROM a\nARG B=1\nARG \\\n  SECRET http_proxy\n")
    args = {"A": "1", "C": "3", "https_proxy": "http://u:p@x", "http_proxy": "x", "SECRET": "s"}
    assert file.declared == {"A", "B", "SECRET", "http_proxy"}
    assert file.accepted(args) == {"https_proxy": "http://u:p@x"}
    assert file.withheld(args) == ["A", "SECRET", "http_proxy"]
