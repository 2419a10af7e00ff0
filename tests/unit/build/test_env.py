"""Env files: the mapping and the shell give the same."""

import subprocess

import pytest

from hythe.build import env as environment

CASES = {
    "no suffix sets": ({"A": "new"}, {"A": "old"}, "new"),
    "override sets": ({"A.override": "new"}, {"A": "old"}, "new"),
    "default leaves what is there": ({"A.default": "new"}, {"A": "old"}, "old"),
    "default fills what is empty": ({"A.default": "new"}, {"A": ""}, "new"),
    "append joins with nothing": ({"A.append": "new"}, {"A": "old"}, "oldnew"),
    "append joins with the delimiter": ({"A.append": "n", "A.delim": ";"}, {"A": "o"}, "o;n"),
    "prepend joins with the delimiter": ({"A.prepend": "n", "A.delim": ";"}, {"A": "o"}, "n;o"),
    "no delimiter beside an empty value": ({"A.prepend": "n", "A.delim": ";"}, {}, "n"),
    "contents are verbatim": (
        {"A": "  two\nlines $HOME `x` ' \n"},
        {},
        "  two\nlines $HOME `x` ' \n",
    ),
    "unknown suffixes are left alone": ({"A.txt": "new"}, {"A": "old"}, "old"),
}


@pytest.mark.parametrize("name", CASES)
def test_env_files_at_build_time(name: str) -> None:
    files, before, after = CASES[name]
    env = dict(before)
    environment.apply(env, files)
    assert env["A"] == after


@pytest.mark.parametrize("name", CASES)
def test_the_launch_shell_does_the_same(name: str) -> None:
    files, before, after = CASES[name]
    script = "\n".join(environment.launch_lines(files)) + '\nprintf %s "$A"'
    done = subprocess.run(["bash", "-c", script], env=before, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (after, "")


def test_layer_roots_stand_in_front() -> None:
    env = {"PATH": "/bin"}
    environment.add_roots(env, "/layers/a/b", frozenset({"bin", "include"}))
    assert env == {"PATH": "/layers/a/b/bin:/bin", "CPATH": "/layers/a/b/include"}


def test_the_platform_extends_paths_and_sets_the_rest() -> None:
    env = {"PATH": "/bin", "A": "old"}
    environment.apply_platform(env, {"PATH": "/mine", "A": "new"})
    assert env == {"PATH": "/mine:/bin", "A": "new"}
