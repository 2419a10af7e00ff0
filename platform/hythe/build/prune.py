"""Which images and caches go, and why: a pure function of what there is, the rules and the time.

An image that is in use, or that a rollback may need, is never in the plan. Sizes are what removal
frees: of an image the layers that no other image has. An image may have several names, when several
builds made the same; it goes when all of them go.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

DAY = 86_400.0
YOUNG = 3600.0  # seconds in which nothing is pruned: a build may be about to use it


@dataclass(frozen=True, slots=True)
class Held:
    """An image of an app on the engine."""

    reference: str
    app_id: int
    id: str
    layers: "Layers"
    made_at: float  # Unix seconds: by the last build that made it
    code: bool  # with the app's code, made by a build; else the dependencies under such images


Layers = tuple[tuple[int, int], ...]  # lowest first: a number, see `layers`, and bytes


def layers(diff_ids: Sequence[str], sizes: Sequence[int], size: int) -> Layers:
    """Layers with numbers that stand for a layer and all below it: engines store such once.

    sizes: bytes of each; () where the engine does not tell, then all `size` bytes are the top's.
    """
    known = sizes or [0] * (len(diff_ids) - 1) + [size] * bool(diff_ids)
    sha, found = hashlib.sha256(), []
    for diff_id, bytes_ in zip(diff_ids, known, strict=True):
        sha.update(diff_id.encode())
        found.append((int.from_bytes(sha.digest()[:8]), bytes_))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class CacheHeld:
    """The build cache of an app."""

    app_id: int
    size: int  # bytes
    used_at: float  # Unix seconds: the app's last build


@dataclass(frozen=True, slots=True)
class Rules:
    max_images: int  # of an app
    image_days: int
    cache_days: int
    budget: int  # bytes; 0: none


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes: an image by its reference, or an app's cache."""

    app_id: int
    reference: str | None  # None: the cache
    size: int
    reason: str


@dataclass(slots=True)
class Stock:
    """What there is, and what of it must stay: ids of images, by app."""

    images: Sequence[Held]
    caches: Sequence[CacheHeld]
    kept: Mapping[int, Collection[str]]
    bases: Collection[int] = ()  # numbers of the layers of base images: they stay

    def own(self, image: Held) -> int:
        """The bytes that go with an image, under all of its names."""
        others = {n for each in self.images if each.id != image.id for n, _ in each.layers}
        return sum(size for n, size in image.layers if n not in others and n not in self.bases)

    def of_images(self, app_id: int | None = None) -> int:
        """The bytes of images, of an app or of all; a layer of several counts once."""
        return sum({
            n: size
            for each in self.images
            if app_id in (None, each.app_id)
            for n, size in each.layers
            if n not in self.bases
        }.values())  # fmt: skip

    def total(self) -> int:
        """The bytes of all images and caches."""
        return self.of_images() + sum(each.size for each in self.caches)

    def without(self, removal: Removal) -> "Stock":
        if removal.reference is None:
            caches = [each for each in self.caches if each.app_id != removal.app_id]
            return Stock(self.images, caches, self.kept, self.bases)
        images = [each for each in self.images if each.reference != removal.reference]
        return Stock(images, self.caches, self.kept, self.bases)

    def spare(self, now: float) -> list[Held]:
        """Images with code that may go, oldest first."""
        return sorted(
            (
                each
                for each in self.images
                if each.code
                and each.id not in self.kept.get(each.app_id, ())
                and now - each.made_at > YOUNG
            ),
            key=lambda each: (each.made_at, each.id),
        )


def plan(stock: Stock, rules: Rules, now: float) -> list[Removal]:
    """What goes, in order."""
    planned: list[Removal] = []
    for step in (_by_age, _by_count, _bare, _by_budget):
        for removal in step(stock, rules, now):
            planned.append(removal)
            stock = stock.without(removal)
    return planned


def _by_age(stock: Stock, rules: Rules, now: float) -> Iterator[Removal]:
    for image in stock.spare(now):
        if now - image.made_at > rules.image_days * DAY:
            yield (removal := _image(stock, image, f"older than {rules.image_days} days"))
            stock = stock.without(removal)
    for cache in stock.caches:
        if now - cache.used_at > rules.cache_days * DAY:
            yield _cache(cache, f"no build for {rules.cache_days} days")


def _by_count(stock: Stock, rules: Rules, now: float) -> Iterator[Removal]:
    spare = stock.spare(now)
    for app_id in sorted({each.app_id for each in spare}):
        own = {each.id for each in stock.images if each.code and each.app_id == app_id}
        mine = [each for each in spare if each.app_id == app_id]
        oldest = list(dict.fromkeys(each.id for each in mine))
        going = oldest[: max(len(own) - rules.max_images, 0)]
        for image in [each for each in mine if each.id in going]:
            reason = f"more than {rules.max_images} images of the app"
            yield (removal := _image(stock, image, reason))
            stock = stock.without(removal)


def _bare(stock: Stock, rules: Rules, now: float) -> Iterator[Removal]:
    """Dependencies on which no image of the app is built any more."""
    for image in stock.images:
        if image.code or now - image.made_at <= YOUNG:
            continue
        top = image.layers[-1:]
        above = (
            set(top) <= set(other.layers)
            for other in stock.images
            if other.code and other.app_id == image.app_id
        )
        if not any(above):
            yield _image(stock, image, "no image of the app is built on it")


def _by_budget(stock: Stock, rules: Rules, now: float) -> Iterator[Removal]:
    """The oldest images and caches while there is more than the budget."""
    if not rules.budget:
        return
    while (total := stock.total()) > rules.budget:
        reason = f"{figure(total)} are over the budget of {figure(rules.budget)}"
        image = next(iter(stock.spare(now)), None)
        cache = min(stock.caches, key=lambda each: each.used_at, default=None)
        if cache is not None and now - cache.used_at <= YOUNG:
            cache = None
        if image is not None and (cache is None or image.made_at <= cache.used_at):
            removal = _image(stock, image, reason)
        elif cache is not None:
            removal = _cache(cache, reason)
        else:
            return
        yield removal
        stock = stock.without(removal)
        for bare in _bare(stock, rules, now):
            yield bare
            stock = stock.without(bare)


def _image(stock: Stock, image: Held, reason: str) -> Removal:
    shared = any(each.id == image.id and each.reference != image.reference for each in stock.images)
    return Removal(image.app_id, image.reference, 0 if shared else stock.own(image), reason)


def _cache(cache: CacheHeld, reason: str) -> Removal:
    return Removal(cache.app_id, None, cache.size, reason)


def figure(size: float) -> str:
    """Bytes for people: `1.4 GB`, `320 MB`."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
