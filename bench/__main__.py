"""bin/bench NAME [--json]."""

import argparse
import importlib
import sys

from bench.figure import as_json, table

BENCHES = {
    "push": "a push to its first answer, failed requests, rollback, memory, bin/up again",
    "api": "answers about 200 apps on both databases, the dashboard, memory of 100 apps",
    "build": "builds beside docker build, first starts, image sizes, apps beside a build",
    "servers": "requests a second, memory and image size of the ways to serve a Python app",
    "router": "the router beside nginx, HAProxy, Envoy and Caddy",
    "scale": "the reconcile loop over 250, 500 and 1,000 apps with five instances each",
    "table": "the router with 10,000 routes, and with 100 changes of its table a second",
}


def main() -> int:
    """Run a benchmark; 0 when all targets were met, 1 when not."""
    names = "\n".join(f"  {name}  {what}" for name, what in BENCHES.items())
    parser = argparse.ArgumentParser(
        prog="bin/bench", formatter_class=argparse.RawDescriptionHelpFormatter, epilog=names
    )
    parser.add_argument("name", nargs="?", choices=BENCHES)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument(
        "--pairs", type=int, default=5, help="pairs to measure, at least 5 to count"
    )
    parser.add_argument("--part", action="append", metavar="NAME", help="of router: only this one")
    parser.add_argument("--quick", action="store_true", help="of router: see that it runs")
    options = parser.parse_args()
    if options.name is None:
        parser.print_help()
        return 0
    if options.name == "router":
        match = importlib.import_module("bench.router.match")
        known = [part.name for part in match.PARTS]
        if unknown := set(options.part or ()) - set(known):
            parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(known)}")
        figures = match.measure(options.pairs, parts=options.part or (), quick=options.quick)
    else:
        figures = importlib.import_module(f"bench.{options.name}").measure(options.pairs)
    print(as_json(figures) if options.json else table(figures))
    return int(any(figure.met is False for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
