#!/bin/sh
# Runs as root in a container of the bare root file system, once for each of the two images.
set -eu
useradd --uid 1000 --create-home --home-dir /home/app --shell /bin/bash app
mkdir -p /workspace /layers /platform /cnb/buildpacks /cnb/launch /cnb/lifecycle
chown app:app /workspace /layers
find /usr/bin /usr/sbin /usr/lib -xdev -perm /6000 -type f -exec chmod ug-s {} +
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /var/log/*.log /var/log/apt
