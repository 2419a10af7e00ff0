"""Base classes of request and answer bodies."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

T = TypeVar("T")


class Body(BaseModel):
    """What a request sends: unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Items(Answer, Generic[T]):
    """A list, in an object so that a cursor can join it one day."""

    items: list[T]
