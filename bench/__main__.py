"""bin/bench NAME [--json] [--record]."""

import argparse
import importlib
import signal
import sys

from bench.figure import as_json, table

BENCHES = {
    "push": "a push to its first answer, failed requests, rollback, memory, bin/up again",
    "api": "answers about 200 apps on both databases, the dashboard, memory of 100 apps",
    "logs": "a million lines through the engine's rotation, the first answer of logs -t",
    "build": "builds beside docker build, first starts, image sizes, apps beside a build",
    "servers": "requests a second, memory and image size of the ways to serve a Python app",
    "router": "the router beside nginx, HAProxy, Envoy and Caddy",
    "scale": "the reconcile loop over 250, 500 and 1,000 apps with five instances each",
    "table": "the router with 10,000 routes, and with 100 changes of its table a second",
}

IN_PARTS = {"api": "bench.api", "build": "bench.build", "router": "bench.router.match"}
RECORDED = ("build", "servers")


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
    parser.add_argument("--part", action="append", metavar="NAME", default=[],
                        help="only this one, of api, build or router; may be repeated")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="see that it runs: api, build, router")
    parser.add_argument("--record", action="store_true",
                        help="write the figures into the docs: build, servers")  # fmt: skip
    options = parser.parse_args()
    if options.name is None:
        parser.print_help()
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what it started is removed then
    if options.record and (options.part or options.quick or options.name not in RECORDED):
        parser.error(f"--record takes the figures of a whole run: {', '.join(RECORDED)}")
    if options.name in IN_PARTS:
        bench = importlib.import_module(IN_PARTS[options.name])
        known = [getattr(part, "name", part) for part in bench.PARTS]
        if unknown := set(options.part) - set(known):
            parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(known)}")
        figures = bench.measure(options.pairs, parts=options.part, quick=options.quick)
    elif options.part or options.quick:
        parser.error(f"{options.name} is measured as a whole")
    else:
        figures = importlib.import_module(f"bench.{options.name}").measure(options.pairs)
    print(as_json(figures) if options.json else table(figures))
    if options.record:
        page = importlib.import_module("bench.record").record(options.name, figures)
        print(f"written into {page}", file=sys.stderr)
    return int(any(figure.met is False for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
