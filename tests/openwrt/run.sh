#!/bin/sh
# Runs the init script over each folder of `cases`, with stand-ins for OpenWrt, and compares what it writes and what it
# tells procd and the log with `expected`; UPDATE=1 writes that anew.
#
# A case: `siproxd`, the file of UCI, and `networks`, what is up at each start, a line for each. PROGRAM is the siproxd that
# checks what was translated, SHELLS what runs the script.
set -eu

cd "$(dirname "$0")"
program=$(realpath "${PROGRAM:-${CARGO_TARGET_DIR:-../../target}/release/siproxd}")
init=$(realpath ../../openwrt/siproxd/files/siproxd.init)
shells=${SHELLS:-dash, busybox ash}

# One start, in a shell of its own as on the router.
# shellcheck disable=SC2016
start() {
    $1 -eu -c '
        . "$IPKG_INSTROOT/lib/functions.sh"
        . "$IPKG_INSTROOT/lib/procd.sh"
        set +eu
        . "$1"
        logger() { echo "log $*"; }
        id() { echo "group-of-$2"; }
        chown() { echo "chown $*"; }
        mkdir() { case $2 in "$SCRATCH"*) command mkdir "$@" ;; *) echo "mkdir $*" ;; esac; }
        PROG=$PROGRAM CONF_DIR=$SCRATCH/etc STATE_DIR=$SCRATCH/lib PID_DIR=$SCRATCH/run
        start_service
        service_triggers
    ' init "$init" 2>&1 | sed "s|$SCRATCH|SCRATCH|g; s|$PROGRAM|siproxd|g"
}

play() {
    IPKG_INSTROOT=$PWD/root UCI_FILE=$PWD/$1/siproxd PROGRAM=$program
    SCRATCH=$(mktemp -d)
    export IPKG_INSTROOT UCI_FILE PROGRAM SCRATCH NETWORKS
    while read -r NETWORKS; do
        echo "== up: ${NETWORKS:-nothing}"
        start "$2"
    done <"$1/networks"
    for conf in "$SCRATCH"/etc/*.conf; do
        [ ! -e "$conf" ] || { echo "== ${conf##*/}"; sed "s|$SCRATCH|SCRATCH|g" "$conf"; }
    done
    rm -r "$SCRATCH"
}

failed=0
got=$(mktemp)
trap 'rm -f "$got"' EXIT
for case in cases/*; do
    IFS=,
    for shell in $shells; do
        unset IFS
        play "$case" "${shell# }" >"$got"
        [ -z "${UPDATE:-}" ] || cp "$got" "$case/expected"
        diff -u "$case/expected" "$got" || { echo "$case differs under${shell:+ }$shell" >&2; failed=1; }
    done
done
[ "$failed" -eq 0 ] && echo "openwrt: ok"
exit "$failed"
