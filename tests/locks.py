# ruff: noqa: E501
"""Real lock files of Poetry and pipenv, for a small app, without what is not read."""

import json
import re

PYPROJECT = """[tool.poetry]
name = "shop"
version = "1.0.0"
description = ""
authors = []
package-mode = false

[tool.poetry.dependencies]
python = "^3.10"
bottle = "^0.13"
colorama = {version = "^0.4", markers = "sys_platform == 'win32'"}
httpcore = {version = "^1.0", extras = ["socks"]}
tomli = {version = "^2.0", python = "<3.11"}
itsdangerous = {version = "*", optional = true}

[tool.poetry.extras]
signed = ["itsdangerous"]

[tool.poetry.group.dev.dependencies]
iniconfig = "*"
"""

POETRY_2 = """[[package]]
name = "bottle"
version = "0.13.4"
optional = false
python-versions = "*"
groups = ["main"]
files = [
    {file = "bottle-0.13.4-py2.py3-none-any.whl", hash = "sha256:045684fbd2764eac9cdeb824861d1551d113e8b683d8d26e296898d3dd99a12e"},
    {file = "bottle-0.13.4.tar.gz", hash = "sha256:787e78327e12b227938de02248333d788cfe45987edca735f8f88e03472c3f47"},
]

[[package]]
name = "certifi"
version = "2026.10.18"
optional = false
python-versions = ">=3.7"
groups = ["main"]
files = [
    {file = "certifi-2026.10.18-py3-none-any.whl", hash = "sha256:73191c47aaa79da394e8fee2dbc2ec827432cab56311122c9e47abf79e390f62"},
    {file = "certifi-2026.10.18.tar.gz", hash = "sha256:b9995d97b64d0431a5af837d8ca8cd6238104d1f319f04bd93ea43124d6c861e"},
]

[[package]]
name = "colorama"
version = "0.4.6"
optional = false
python-versions = "!=3.0.*,!=3.1.*,!=3.2.*,!=3.3.*,!=3.4.*,!=3.5.*,!=3.6.*,>=2.7"
groups = ["main"]
markers = "sys_platform == \\"win32\\""
files = [
    {file = "colorama-0.4.6-py2.py3-none-any.whl", hash = "sha256:4f1d9991f5acc0ca119f9d443620b77f9d6b33703e51011c16baf57afb285fc6"},
    {file = "colorama-0.4.6.tar.gz", hash = "sha256:08695f5cb7ed6e0531a20572697297273c47b8cae5a63ffc6d6ed5c201be6e44"},
]

[[package]]
name = "h11"
version = "0.16.0"
optional = false
python-versions = ">=3.8"
groups = ["main"]
files = [
    {file = "h11-0.16.0-py3-none-any.whl", hash = "sha256:63cf8bbe7522de3bf65932fda1d9c2772064ffb3dae62d55932da54b31cb6c86"},
    {file = "h11-0.16.0.tar.gz", hash = "sha256:4e35b956cf45792e4caa5885e69fba00bdbc6ffafbfa020300e549b208ee5ff1"},
]

[[package]]
name = "httpcore"
version = "1.0.9"
optional = false
python-versions = ">=3.8"
groups = ["main"]
files = [
    {file = "httpcore-1.0.9-py3-none-any.whl", hash = "sha256:2d400746a40668fc9dec9810239072b40b4484b640a8c38fd654a024c7a1bf55"},
    {file = "httpcore-1.0.9.tar.gz", hash = "sha256:6e34463af53fd2ab5d807f399a9b45ea31c3dfa2276f15a2c3f00afff6e176e8"},
]

[package.dependencies]
certifi = "*"
h11 = ">=0.16"
socksio = {version = "==1.*", optional = true, markers = "extra == \\"socks\\""}

[[package]]
name = "iniconfig"
version = "2.3.1"
optional = false
python-versions = ">=3.10"
groups = ["dev"]
files = [
    {file = "iniconfig-2.3.1-py3-none-any.whl", hash = "sha256:9121e2c1fdb355232495be3194c8dfe87ccc2d5dee45947b78e68f499790d7a7"},
    {file = "iniconfig-2.3.1.tar.gz", hash = "sha256:67f4b9c50da0dedf52af349e7749a80a9057a5031199791b906c3bb3ae878960"},
]

[[package]]
name = "itsdangerous"
version = "2.2.0"
optional = true
python-versions = ">=3.8"
groups = ["main"]
markers = "extra == \\"signed\\""
files = [
    {file = "itsdangerous-2.2.0-py3-none-any.whl", hash = "sha256:c6242fc49e35958c8b15141343aa660db5fc54d4f13a1db01a3f5891b98700ef"},
    {file = "itsdangerous-2.2.0.tar.gz", hash = "sha256:e0050c0b7da1eea53ffaf149c0cfbb5c6e2e2b69c4bef22c81fa6eb73e5f6173"},
]

[[package]]
name = "socksio"
version = "1.0.0"
optional = false
python-versions = ">=3.6"
groups = ["main"]
files = [
    {file = "socksio-1.0.0-py3-none-any.whl", hash = "sha256:95dc1f15f9b34e8d7b16f06d74b8ccf48f609af32ab33c608d08761c5dcbb1f3"},
    {file = "socksio-1.0.0.tar.gz", hash = "sha256:f88beb3da5b5c38b9890469de67d0cb0f9d494b78b106ca1845f96c10b91c4ac"},
]

[[package]]
name = "tomli"
version = "2.5.0"
optional = false
python-versions = ">=3.8"
groups = ["main"]
markers = "python_version == \\"3.10\\""
files = [
    {file = "tomli-2.5.0-py3-none-any.whl", hash = "sha256:32a7b79ac57a2e83670ce329ccf675798bc5a2094783a63676866b70503f2e2b"},
    {file = "tomli-2.5.0.tar.gz", hash = "sha256:264507556cd8b8c8e7c6ee037cdf443a463f03f4c958e57195e3d369711b8ff6"},
]

[extras]
signed = ["itsdangerous"]

[metadata]
lock-version = "2.1"
python-versions = "^3.10"
content-hash = "62e3c3856f3f0128df9f3011a33d7183bf000d1c295d2a5b035f378deddc15ae"
"""
# Poetry 1.8 writes the same, but for this.
POETRY_1 = re.sub(r"^(groups|markers) = .*\n", "", POETRY_2, flags=re.M).replace('"2.1"', '"2.0"')

PIPFILE = """[[source]]
url = "https://index.example/simple"
verify_ssl = true
name = "pypi"

[packages]
Bottle = "*"
colorama = {version = "*", markers = "sys_platform == 'win32'"}

[dev-packages]
iniconfig = "*"

[requires]
python_version = "3.11"
"""
PIPFILE_LOCK = json.dumps(
    {
        "_meta": {
            "hash": {"sha256": "0976792cb7e0a58f1669c9e3f78add79b3f856852528560a277a4d0ada6f56ce"},
            "pipfile-spec": 6,
            "requires": {"python_version": "3.11"},
            "sources": [
                {"name": "pypi", "url": "https://index.example/simple", "verify_ssl": True}
            ],
        },
        "default": {
            "bottle": {
                "hashes": [
                    "sha256:045684fbd2764eac9cdeb824861d1551d113e8b683d8d26e296898d3dd99a12e",
                    "sha256:787e78327e12b227938de02248333d788cfe45987edca735f8f88e03472c3f47",
                ],
                "index": "pypi",
                "version": "==0.13.4",
            },
            "colorama": {"markers": "sys_platform == 'win32'", "version": "*"},
        },
        "develop": {
            "iniconfig": {
                "hashes": [
                    "sha256:67f4b9c50da0dedf52af349e7749a80a9057a5031199791b906c3bb3ae878960"
                ],
                "version": "==2.3.1",
            }
        },
    }
)
