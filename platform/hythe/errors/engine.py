"""The container engine refuses, or is away."""

from typing import ClassVar

from hythe.errors.base import HytheError


class EngineError(HytheError):
    """The container engine refused."""

    code = "engine"
    status = 503
    transient: ClassVar[bool] = False
    default_fix = "Check the engine with `docker version`; start it with `bin/up`."


class EngineAway(EngineError):
    """The container engine does not answer."""

    code = "engine-away"
    transient = True


class EngineLacks(EngineError):
    """The container engine does not have it."""

    code = "engine-lacks"
    default_fix = "Deploy again: it was removed by hand, or by another program."


class ImageMissing(EngineError):
    """The image is not on this engine."""

    code = "image-missing"
    default_fix = "Build it again: push a new commit, or upload the folder with `hythe deploy`."


class RegistryDenied(EngineError):
    """The registry does not let Hythe pull the image."""

    code = "registry-denied"
    status = 422
    default_fix = "Log in with `hythe registry:login HOST -u USER`, and deploy again."


class RegistryAway(EngineError):
    """The registry could not be reached."""

    code = "registry-away"
    default_fix = "Check the image's name, and that this machine reaches the registry."


class NetworkFull(EngineError):
    """No address, or no subnet, is left."""

    code = "network-full"
    default_fix = "Scale down, or set HYTHE_SUBNETS to a larger range."


class AddressTaken(EngineError):
    """The network address or subnet is in use."""

    code = "address-taken"
    transient = True
