"""What the disk governor removes, and what never."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from hythe.build import prune
from hythe.build.prune import DAY, CacheHeld, Held, Removal, Rules, Stock, plan

NOW = 1_000 * DAY
RULES = Rules(max_images=3, image_days=30, cache_days=30, budget=0)
BASE = ("base",)


def image(build: int, *, days: float, app: int = 1, deps: str = "d1") -> Held:
    """An image with code: 10 bytes of its own, on 40 of dependencies, on a base of 60."""
    made = prune.layers((*BASE, deps, f"code{app}.{build}"), (60, 40, 10), 110)
    return Held(f"app{app}:b{build}", app, f"id{app}.{build}", made, NOW - days * DAY, True)


def layers(deps: str = "d1", *, days: float = 2, app: int = 1) -> Held:
    name = f"app{app}-layers:{deps}"
    made = prune.layers((*BASE, deps), (60, 40), 100)
    return Held(name, app, name, made, NOW - days * DAY, False)


def stock(*images: Held, kept: tuple[str, ...] = (), caches: tuple[CacheHeld, ...] = ()) -> Stock:
    bases = [number for number, _ in prune.layers(BASE, (60,), 60)]
    return Stock(images, caches, {1: kept, 2: kept}, bases)


def names(removals: list[Removal]) -> list[str | None]:
    return [each.reference for each in removals]


def test_old_images_go_unless_a_rollback_needs_them() -> None:
    there = stock(image(1, days=60), image(2, days=50), image(3, days=1), layers(), kept=("id1.2",))
    assert plan(there, RULES, NOW) == [Removal(1, "app1:b1", 10, "older than 30 days")]


def test_the_oldest_beyond_the_count_go() -> None:
    there = stock(*(image(n, days=20 - n) for n in range(6)), layers(), kept=("id1.0", "id1.5"))
    assert names(plan(there, RULES, NOW)) == ["app1:b1", "app1:b2", "app1:b3"]


def test_dependencies_go_with_the_last_image_that_stands_on_them() -> None:
    old = image(1, days=60, deps="old")
    removals = plan(stock(old, layers("old"), image(2, days=1), layers()), RULES, NOW)
    assert removals[1] == Removal(1, "app1-layers:old", 40, "no image of the app is built on it")
    assert names(removals) == ["app1:b1", "app1-layers:old"]


def test_what_is_young_stays() -> None:
    fresh = replace(layers("new"), made_at=NOW - 60)  # its build is about to put code on it
    rules = replace(RULES, max_images=1, budget=1)
    assert plan(stock(fresh, image(1, days=0), image(2, days=0)), rules, NOW) == []


def test_an_unused_cache_goes() -> None:
    caches = (CacheHeld(1, 500, NOW - 40 * DAY), CacheHeld(2, 500, NOW - DAY))
    removals = plan(stock(caches=caches), RULES, NOW)
    assert removals == [Removal(1, None, 500, "no build for 30 days")]


def test_over_the_budget_the_oldest_go_first_until_it_is_kept() -> None:
    caches = (CacheHeld(1, 500, NOW - 3 * DAY),)
    there = stock(image(1, days=4), image(2, days=2), layers(), caches=caches, kept=("id1.2",))
    assert there.total() == 500 + 10 + 10 + 40
    rules = replace(RULES, budget=100)
    assert names(plan(there, rules, NOW)) == ["app1:b1", None]
    assert names(plan(there, replace(rules, budget=555), NOW)) == ["app1:b1"]


def test_a_layer_that_images_share_counts_once_and_goes_with_the_last() -> None:
    one, two, other = image(1, days=60), image(2, days=50), image(3, days=40, deps="d2")
    there = stock(one, two, other)
    assert there.of_images() == there.of_images(1) == 10 + 10 + 40 + 10 + 40
    assert [there.own(each) for each in (one, two, other)] == [10, 10, 50]
    assert [each.size for each in plan(there, RULES, NOW)] == [10, 50, 50]
    assert plan(there, RULES, NOW)[1].size == there.without(plan(there, RULES, NOW)[0]).own(two)


def test_layers_are_the_same_on_the_same_layers_only() -> None:
    one = prune.layers(("a", "b"), (1, 2), 3)
    assert prune.layers(("a", "c"), (1, 2), 3)[0] == one[0]
    assert prune.layers(("c", "b"), (1, 2), 3)[1] != one[1]
    assert [size for _, size in prune.layers(("a", "b"), (), 3)] == [0, 3]


def test_two_names_of_an_image_count_once() -> None:
    one = image(1, days=4)
    assert stock(one, replace(one, reference="app1:other"), layers()).total() == 50


def test_names_of_an_image_go_together_and_count_as_one() -> None:
    one = [replace(image(1, days=20), reference=f"app1:b{number}") for number in (1, 2, 3, 4)]
    others = [image(number, days=20 - number) for number in (5, 6)]
    assert plan(stock(*one, *others, layers()), RULES, NOW) == []
    removals = plan(stock(*one, *others, image(7, days=2), layers()), RULES, NOW)
    assert names(removals) == ["app1:b1", "app1:b2", "app1:b3", "app1:b4"]
    assert [each.size for each in removals] == [0, 0, 0, 10]


@given(
    ages=st.lists(st.floats(0, 90), max_size=12),
    kept=st.sets(st.integers(0, 11)),
    rules=st.builds(
        Rules,
        max_images=st.integers(1, 5),
        image_days=st.integers(1, 60),
        cache_days=st.integers(1, 60),
        budget=st.integers(0, 300),
    ),
)
def test_nothing_that_is_kept_goes_and_a_second_pass_finds_nothing(
    ages: list[float], kept: set[int], rules: Rules
) -> None:
    ids = tuple(f"id1.{number}" for number in kept)
    images = [image(number, days=age) for number, age in enumerate(ages)]
    there = stock(*images, layers(), kept=ids, caches=(CacheHeld(1, 100, NOW - 5 * DAY),))
    removals = plan(there, rules, NOW)
    assert len(set(names(removals))) == len(removals)
    gone = [each for each in images if each.reference in names(removals)]
    assert not {each.id for each in gone} & set(ids)
    for removal in removals:
        there = there.without(removal)
    assert plan(there, rules, NOW) == []
