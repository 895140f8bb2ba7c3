#!/bin/bash
# try.sh TARGET...: starts each program under its emulator, in a network of its own, and lets a phone register there.
#
# As root; wants `sipsak` beside what setup.sh installs, and the programs that build.sh makes.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
program() { echo "${CARGO_TARGET_DIR:-$here/../target}/$1/release/siproxd"; }

# Of `config.toml`: the emulator; nothing for the machine's own kind.
emulator() {
    sed -n "/^\[target\.$1\]/,/^\[/s/^runner = \"\(.*\)\"/\1/p" "$here/config.toml"
}

# Runs in the network namespace.
inside() {
    local run=$1 scratch=$2
    # Which interfaces there are is asked of /sys, whose mount belongs to a network namespace.
    mount -t sysfs sysfs /sys
    ip link set lo up
    for side in lan:192.0.2.1 wan:198.51.100.1; do
        ip link add "${side%:*}" type veth peer name "${side%:*}-peer"
        ip address add "${side#*:}/24" dev "${side%:*}"
        ip link set "${side%:*}" up
        ip link set "${side%:*}-peer" up
    done
    printf '%s\n' 'if_inbound = lan' 'if_outbound = wan' 'debug_level = -1' >"$scratch/siproxd.conf"
    $run --version
    $run --check -c "$scratch/siproxd.conf" >/dev/null
    $run -c "$scratch/siproxd.conf" 2>"$scratch/log" &
    local daemon=$!
    # Emulated programs start slowly; a phone would try again as well.
    for _ in $(seq 50); do
        grep -q 'WAN address is' "$scratch/log" && break
        sleep 0.1
    done
    # The router itself is the domain, and so the registrar.
    local registered=0
    timeout 10 sipsak -vv -i -U -s sip:alice@192.0.2.1 -C sip:alice@192.0.2.1:5999 -H 192.0.2.1 -x 600 \
        >"$scratch/phone" 2>&1 || registered=$?
    kill $daemon
    wait $daemon
    [ $registered -eq 0 ] || cat "$scratch/log" "$scratch/phone" >&2
    return $registered
}

if [ "$1" = --inside ]; then
    inside "$2" "$3"
    exit
fi
for target in "$@"; do
    [ -x "$(program "$target")" ] || { echo "$target: not built" >&2; exit 1; }
    scratch=$(mktemp -d)
    timeout 30 unshare --net --mount "$here/try.sh" --inside "$(emulator "$target") $(program "$target")" "$scratch" ||
        { echo "$target: failed" >&2; exit 1; }
    rm -r "$scratch"
    echo "$target: registers a phone"
done
