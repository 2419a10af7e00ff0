"""The web process: counts its own requests, and says what the release phase and the config set."""

import itertools
import os

from flask import Flask, jsonify

app = Flask(__name__)
served = itertools.count(1)


@app.get("/")
def index():
    return jsonify(
        greeting=os.environ.get("GREETING", "Hello"),
        release=os.environ.get("HYTHE_RELEASE"),
        instance=os.environ.get("HYTHE_INSTANCE"),
        served=next(served),
    )
