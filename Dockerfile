# Hythe's own image, for docker-compose.yml: the control plane, the router and the log collector.
#
#   DOCKER_BUILDKIT=1 docker build -t hythe .
#
# Behind a company's package index or proxy, lend it pip's and npm's configuration and the CA bundle;
# nothing of them stays in the image:
#
#   DOCKER_BUILDKIT=1 docker build -t hythe --secret id=pip.conf,src=$HOME/.config/pip/pip.conf \
#       --secret id=npmrc,src=$HOME/.npmrc \
#       --secret id=ca-certificates.crt,src=/etc/ssl/certs/ca-certificates.crt .
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS base
USER 0
RUN apt-get update -q \
    && apt-get install -q -y --no-install-recommends \
        ca-certificates git iptables openssh-client python3 \
    && rm -rf /var/lib/apt/lists/*

FROM base AS build
RUN apt-get update -q && apt-get install -q -y --no-install-recommends python3-venv
COPY requirements.lock /opt/hythe/
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca-certificates.crt,target=/run/secrets/ca-certificates.crt \
    bundle=/run/secrets/ca-certificates.crt \
    && if [ -s "$bundle" ]; then export PIP_CERT="$bundle"; fi \
    && python3 -m venv /opt/hythe/.venv \
    && /opt/hythe/.venv/bin/pip install --no-cache-dir --no-input --disable-pip-version-check \
        --progress-bar=off --require-hashes -r /opt/hythe/requirements.lock \
    && echo /opt/hythe/platform >"$(echo /opt/hythe/.venv/lib/python3*/site-packages)/hythe.pth"

# The dashboard, built with Node from PyPI, as bin/up does where the machine has none.
FROM build AS dashboard
COPY requirements-node.lock /opt/hythe/
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca-certificates.crt,target=/run/secrets/ca-certificates.crt \
    bundle=/run/secrets/ca-certificates.crt \
    && if [ -s "$bundle" ]; then export PIP_CERT="$bundle"; fi \
    && /opt/hythe/.venv/bin/pip install --no-cache-dir --no-input --disable-pip-version-check \
        --progress-bar=off --require-hashes -r /opt/hythe/requirements-node.lock
ENV PATH=/opt/hythe/.venv/bin:$PATH
WORKDIR /opt/hythe/web
COPY web/package.json web/package-lock.json ./
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc \
    --mount=type=secret,id=ca-certificates.crt,target=/run/secrets/ca-certificates.crt \
    bundle=/run/secrets/ca-certificates.crt \
    && if [ -s "$bundle" ]; then export NODE_EXTRA_CA_CERTS="$bundle"; fi \
    && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier
COPY web ./
RUN npx --no-install vite build

# Root, because the engine's socket is as good as root anyway, and builds give files to their user.
FROM base
COPY --from=build /opt/hythe /opt/hythe
COPY buildpacks /opt/hythe/buildpacks
COPY migrations /opt/hythe/migrations
COPY image /opt/hythe/image
COPY platform /opt/hythe/platform
COPY --from=dashboard /opt/hythe/web/dist /opt/hythe/web/dist
RUN ln -s /opt/hythe/image/hythe /usr/local/bin/hythe
ENV HYTHE_HOME=/var/lib/hythe PYTHONUNBUFFERED=1 MALLOC_ARENA_MAX=2
WORKDIR /
ENTRYPOINT ["/opt/hythe/image/entry"]
