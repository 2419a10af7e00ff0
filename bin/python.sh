# Sourced by the commands in this folder: finds the checkout ($root) and a Python for the set-up
# ($python). The set-up itself is the package setup/, standard library only, since it runs before
# anything is installed.

root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd)

for python in python3 python3.14 python3.13 python3.12 python3.11 none; do
    [ "$python" = none ] && break
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
done
if [ "$python" = none ]; then
    echo " !     There is no Python 3.11 or newer here ($(python3 --version 2>&1))." >&2
    echo " !     Install one: apt-get install python3, on Debian 12, Ubuntu 24.04 or newer." >&2
    exit 1
fi

setup() {
    PYTHONPATH="$root/bin" "$python" -m setup "$@"
}
