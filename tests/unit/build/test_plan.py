"""The build plan: every rule of the specification as a small case."""

from hythe.build.plan import Detected, Offer, Require, explain, resolve


def offer(provides: str = "", requires: str = "") -> Offer:
    return Offer(tuple(provides.split()), tuple(Require(name) for name in requires.split()))


def buildpack(key: str, *offers: Offer, optional: bool = False) -> Detected:
    return Detected(key, optional, offers or (Offer(),))


def keys(*group: Detected) -> tuple[str, ...] | None:
    plan = resolve(group)
    return plan.keys if plan else None


def test_buildpacks_without_plan_all_take_part() -> None:
    assert keys(buildpack("a"), buildpack("b")) == ("a", "b")


def test_a_require_is_met_by_an_earlier_or_the_same_buildpack() -> None:
    assert keys(buildpack("a", offer("node")), buildpack("b", offer("", "node"))) == ("a", "b")
    assert keys(buildpack("a", offer("node", "node"))) == ("a",)


def test_a_require_is_not_met_by_a_later_buildpack() -> None:
    assert keys(buildpack("a", offer("", "node")), buildpack("b", offer("node"))) is None


def test_a_provide_that_nobody_requires_fails_a_required_buildpack() -> None:
    assert keys(buildpack("a", offer("node")), buildpack("b")) is None


def test_an_optional_buildpack_that_nobody_needs_is_left_out() -> None:
    group = buildpack("a", offer("node"), optional=True), buildpack("b")
    assert keys(*group) == ("b",)


def test_leaving_one_out_can_leave_out_those_that_needed_it() -> None:
    group = (
        buildpack("a", offer("x", "missing"), optional=True),
        buildpack("b", offer("", "x"), optional=True),
        buildpack("c"),
    )
    assert keys(*group) == ("c",)


def test_the_first_combination_from_the_left_wins() -> None:
    group = (
        buildpack("a", offer("x"), offer("y")),
        buildpack("b", offer("", "y"), offer("", "x")),
    )
    plan = resolve(group)
    assert plan and [entry.name for entry in plan.entries] == ["x"]


def test_an_optional_buildpack_with_alternatives_is_optional_in_the_last_only() -> None:
    group = (
        buildpack("a", offer("x"), offer("y"), optional=True),
        buildpack("b", offer("", "y"), offer("", "nothing")),
    )
    plan = resolve(group)
    assert plan and plan.keys == ("a", "b")
    assert [entry.name for entry in plan.entries] == ["y"]


def test_a_group_of_which_all_are_left_out_does_not_resolve() -> None:
    assert keys(buildpack("a", offer("x"), optional=True)) is None


def test_a_buildpack_receives_every_unmet_entry_that_it_provides() -> None:
    group = (
        buildpack("a", offer("x")),
        buildpack("b", offer("x")),
        buildpack("c", Offer((), (Require("x", {"version": "1"}),))),
    )
    plan = resolve(group)
    assert plan
    assert plan.asked_of("a") == (Require("x", {"version": "1"}),)
    assert plan.after("a", frozenset()).asked_of("b") == ()
    assert plan.after("a", frozenset({"x"})).asked_of("b") == (Require("x", {"version": "1"}),)


def test_what_no_buildpack_provides_is_named() -> None:
    group = buildpack("a@1", offer("x")), buildpack("b@1", offer("", "x jdk"))
    assert resolve(group) is None
    assert explain(group).startswith("b@1 requires jdk, which neither it nor a buildpack before")


def test_what_no_buildpack_requires_is_named() -> None:
    group = buildpack("a@1", offer("node")), buildpack("b@1")
    assert explain(group).startswith("a@1 provides node, which neither it nor a buildpack after")


def test_the_cause_is_in_the_least_demanding_alternative() -> None:
    group = buildpack("a@1", offer("", "x"), offer("", "y")), buildpack("b@1")
    assert "requires y" in explain(group)
