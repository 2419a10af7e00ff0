"""The plot for the docs."""

import statistics
from pathlib import Path

from bench.router.loads import PARTS
from bench.router.part import Samples


def draw(samples: Samples, names: list[str], path: Path) -> None:
    """Medians and ranges of throughput, and CPU a request. Raises ImportError: no matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    loads = [part.name for part in PARTS]
    figure, axes = pyplot.subplots(1, 2, figsize=(12, 4.5))
    for axis, what, title in (
        (axes[0], "requests/s", "Requests a second (more is better)"),
        (axes[1], "us", "CPU microseconds a request (less is better)"),
    ):
        width = 0.8 / len(names)
        for n, name in enumerate(names):
            found = [samples[name, load, what] for load in loads]
            middle = [statistics.median(values) for values in found]
            spread = [
                [m - min(values) for m, values in zip(middle, found, strict=True)],
                [max(values) - m for m, values in zip(middle, found, strict=True)],
            ]
            places = [place + n * width for place in range(len(loads))]
            axis.bar(places, middle, width, yerr=spread, label=name, capsize=2)
        axis.set_title(title)
        axis.set_xticks([place + 0.4 - width / 2 for place in range(len(loads))])
        axis.set_xticklabels([part.title.replace(" and ", "\nand ") for part in PARTS])
    figure.legend(names, loc="lower center", ncols=len(names), frameon=False)
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    figure.savefig(path, dpi=110)
