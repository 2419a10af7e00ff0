"""Settings as the environment gives them."""

from pathlib import Path

import pytest

from hythe.errors import InvalidSetting
from hythe.settings import Settings


def test_variables_are_read_by_the_kind_of_their_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {
        "HOME": "there", "API_PORT": "7", "BUILD_CPUS": "1.5", "GIT_HTTP": "Yes",
        "ROUTER_LOG": "json", "DOMAIN": "example.com",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"HYTHE_{name}", text)
    read = Settings.read()
    assert read == Settings(
        home=Path("there").absolute(), api_port=7, build_cpus=1.5, git_http=True,
        router_log="json", domain="example.com",
    )  # fmt: skip
    assert Settings(**read.to_json()) == read


@pytest.mark.parametrize(
    ("name", "text", "cause"),
    [
        ("API_PORT", "eighty", "HYTHE_API_PORT is 'eighty', which is not a whole number."),
        ("API_PORT", "0", "HYTHE_API_PORT is 0; it must be at least 1."),
        ("API_PORT", "65536", "HYTHE_API_PORT is 65536; it must be at most 65535."),
        ("BUILD_CPUS", "0", "HYTHE_BUILD_CPUS is 0.0; it must be more than 0."),
        ("BUILD_CPUS", "nan", "HYTHE_BUILD_CPUS is nan; it must be more than 0."),
        ("BUILD_CPUS", "", "HYTHE_BUILD_CPUS is '', which is not a number."),
        ("GIT_HTTP", "perhaps", "HYTHE_GIT_HTTP is 'perhaps', which is neither on nor off."),
        ("ROUTER_LOG", "xml", "HYTHE_ROUTER_LOG is 'xml', which is not plain or json."),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, cause: str
) -> None:
    monkeypatch.setenv(f"HYTHE_{name}", text)
    with pytest.raises(InvalidSetting) as error:
        Settings.read()
    assert error.value.cause == cause


def test_what_differs_from_the_defaults() -> None:
    assert Settings(http_port=81).changed() == {"http_port": 81}
