from hythe.engine.docker.spec import container_config
from hythe.engine.port import ContainerSpec


def test_the_engine_s_log_files_of_every_container_are_bounded() -> None:
    config = container_config(ContainerSpec(name="x", image="y"))
    assert config["HostConfig"]["LogConfig"] == {
        "Type": "json-file",
        "Config": {"max-size": "10m", "max-file": "3"},
    }
