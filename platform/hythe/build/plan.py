"""The build plan: which buildpacks of a group take part, and who provides what (pure).

Semantics of the buildpack specification: each buildpack that passed detection offers its top level
and every `or`; combinations are walked from left to right, depth first, and the first that resolves
wins. A require needs a provide in the same or an earlier buildpack, a provide a require in the same
or a later one. Where that fails, a required buildpack fails the combination and an optional one is
left out; one with `or` is optional in its last alternative only.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Require:
    name: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Offer:
    """One alternative of a buildpack's plan."""

    provides: tuple[str, ...] = ()
    requires: tuple[Require, ...] = ()


@dataclass(frozen=True, slots=True)
class Detected:
    """A buildpack that passed detection; offers holds its top level first, then each `or`."""

    key: str  # id@version
    optional: bool = False
    offers: tuple[Offer, ...] = (Offer(),)


@dataclass(frozen=True, slots=True)
class Entry:
    """A dependency that the plan names: who may provide it, and what was asked of it."""

    name: str
    providers: tuple[str, ...]
    requires: tuple[Require, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The buildpacks that take part, in order, and the entries that they settle."""

    keys: tuple[str, ...]
    entries: tuple[Entry, ...]

    def asked_of(self, key: str) -> tuple[Require, ...]:
        """What the buildpack receives: the requires of every entry that it may provide."""
        return tuple(
            require
            for entry in self.entries
            if key in entry.providers
            for require in entry.requires
        )

    def after(self, key: str, unmet: frozenset[str]) -> "Plan":
        """The plan for the buildpacks after this one, which met all it was asked but `unmet`."""
        left = (e for e in self.entries if key not in e.providers or e.name in unmet)
        return Plan(self.keys, tuple(left))


@dataclass(frozen=True, slots=True)
class _Choice:
    key: str
    optional: bool
    offer: Offer


def resolve(group: Sequence[Detected]) -> Plan | None:
    """The first combination of offers that resolves, or None."""
    for choices in _combinations(group):
        plan = _try(list(choices))
        if plan is not None:
            return plan
    return None


def explain(group: Sequence[Detected]) -> str:
    """Why a group does not resolve: what the last combination, the least demanding, misses."""
    last: tuple[_Choice, ...] = ()
    for choices in _combinations(group):
        last = choices
    broken = next((one for one in _broken(list(last)) if not one.optional), None)
    if broken is None:
        return "No buildpack of the group takes part."
    place = last.index(broken)
    provided = {name for one in last[: place + 1] for name in one.offer.provides}
    for require in broken.offer.requires:
        if require.name not in provided:
            return (
                f"{broken.key} requires {require.name}, which neither it nor a buildpack before it"
                " provides."
            )
    wanted = {r.name for later in last[place:] for r in later.offer.requires}
    idle = next((name for name in broken.offer.provides if name not in wanted), "nothing")
    return f"{broken.key} provides {idle}, which neither it nor a buildpack after it requires."


def _broken(choices: list[_Choice]) -> Iterator[_Choice]:
    """What `_try` drops, one after the other; it stops at the first that is not optional."""
    while (broken := _first_broken(choices)) is not None:
        yield broken
        if not broken.optional:
            return
        choices.remove(broken)


def _combinations(group: Sequence[Detected]) -> Iterator[tuple[_Choice, ...]]:
    if not group:
        yield ()
        return
    first, rest = group[0], group[1:]
    for number, offer in enumerate(first.offers, start=1):
        choice = _Choice(first.key, first.optional and number == len(first.offers), offer)
        for tail in _combinations(rest):
            yield (choice, *tail)


def _try(choices: list[_Choice]) -> Plan | None:
    if any(not broken.optional for broken in _broken(choices)):
        return None
    return Plan(tuple(choice.key for choice in choices), _entries(choices)) if choices else None


def _first_broken(choices: Sequence[_Choice]) -> _Choice | None:
    """The first buildpack with a require or a provide that nobody answers."""
    provided: set[str] = set()
    for place, choice in enumerate(choices):
        provided.update(choice.offer.provides)
        if any(require.name not in provided for require in choice.offer.requires):
            return choice
        wanted = {r.name for later in choices[place:] for r in later.offer.requires}
        if any(name not in wanted for name in choice.offer.provides):
            return choice
    return None


def _entries(choices: Sequence[_Choice]) -> tuple[Entry, ...]:
    names = dict.fromkeys(name for choice in choices for name in choice.offer.provides)
    return tuple(
        Entry(
            name,
            tuple(c.key for c in choices if name in c.offer.provides),
            tuple(r for c in choices for r in c.offer.requires if r.name == name),
        )
        for name in names
    )
