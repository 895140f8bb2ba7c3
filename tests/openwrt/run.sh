#!/bin/sh
# Runs the init script over each folder of `cases`, as rc.common does, with stand-ins for OpenWrt, and compares what it tells
# procd, the log and others, and what it writes, with `expected`; UPDATE=1 writes that anew.
#
# A case: `siproxd`, and `network`, `firewall`, `fstab` where they matter, are files of UCI; /mnt in them is the test's own. `steps` is what
# happens, by default `start` with lan and wan up:
#
#   up NETWORK=DEVICE...              networks that are up from now on
#   use FILE                          is /etc/config/siproxd from now on
#   answer SECTION CODE TEXT          what `siproxd reload` prints and ends with; by default it applies all
#   write FILE TEXT                   a file below /mnt
#   module NAME                       a module of the kernel that is loaded
#   start|stop|reload|restart [NAME]  as of /etc/init.d/siproxd
#   check [NAME]                      likewise; nothing of what is there may be another after it
#   check_edit FILE                   likewise, of FILE in the place of /etc/config/siproxd
#
# PROGRAM is the siproxd that checks what was translated, SHELLS what runs the script, UCI a real `uci` in place of the stand-in.
# `run.sh CASE...` runs these alone.
set -eu

cd "$(dirname "$0")"
PROGRAM=$(realpath "${PROGRAM:-${CARGO_TARGET_DIR:-../../target}/release/siproxd}")
files=$(realpath ../../openwrt/siproxd/files)
shells=${SHELLS:-busybox ash}
STAND_IN_UCI=$(realpath uci.py)
STAND_IN_PROCD=$(realpath procd.py)
export PROGRAM STAND_IN_UCI STAND_IN_PROCD UCI="${UCI:-}"

# One run of the init script, in a shell of its own as on the router.
init() {
    # shellcheck disable=SC2086
    TMPDIR=$IPKG_INSTROOT/tmp $1 "$IPKG_INSTROOT/etc/rc.common" "$files/siproxd.init" "$2" $3 3>>"$IPKG_INSTROOT/record" >>"$IPKG_INSTROOT/record" 2>&1
}

# All that is there, but for the record.
everything() {
    find "$IPKG_INSTROOT" ! -name record -printf '%p %m %l\n' | sort
    find "$IPKG_INSTROOT" -type f ! -name record -exec md5sum {} + | sort
}

check() {
    everything >"$scratch/before"
    init "$@" || echo "check failed" >>"$IPKG_INSTROOT/record"
    everything | diff "$scratch/before" - >>"$IPKG_INSTROOT/record" || echo "check has touched something" >>"$IPKG_INSTROOT/record"
}

# A file of UCI of the case's.
use() {
    sed "s|/mnt/|$IPKG_INSTROOT/mnt/|g" "$1" >"$IPKG_INSTROOT/etc/${3:-config}/$2"
}

step() {
    shell=$1 what=$2 rest=$3
    case $what in
    up) NETWORKS=$rest ;;
    use) use "$case/$rest" siproxd ;;
    module) mkdir -p "$IPKG_INSTROOT/sys/module/$rest" ;;
    answer) echo "${rest#* }" >"$IPKG_INSTROOT/answer-${rest%% *}" ;;
    write)
        mkdir -p "$(dirname "$IPKG_INSTROOT/mnt/${rest%% *}")"
        printf '%b\n' "${rest#* }" >"$IPKG_INSTROOT/mnt/${rest%% *}"
        ;;
    check) check "$shell" check "$rest" ;;
    check_edit)
        mkdir -p "$IPKG_INSTROOT/etc/edit"
        cp "$IPKG_INSTROOT"/etc/config/* "$IPKG_INSTROOT/etc/edit"
        use "$case/$rest" siproxd edit
        export UCI_CONFIG_DIR="$IPKG_INSTROOT/etc/edit"
        check "$shell" check ""
        unset UCI_CONFIG_DIR
        ;;
    *) init "$shell" "$what" "$rest" || echo "$what failed" >>"$IPKG_INSTROOT/record" ;;
    esac
}

play() {
    case=$1 shell=$2
    IPKG_INSTROOT=$(mktemp -d)
    SIPROXD=$IPKG_INSTROOT/usr/sbin/siproxd
    NETWORKS='lan=br-lan wan=pppoe-wan'
    export IPKG_INSTROOT SIPROXD NETWORKS
    chmod 755 "$IPKG_INSTROOT"
    cp -r root/. "$IPKG_INSTROOT"
    mkdir -p "$IPKG_INSTROOT/usr/lib/siproxd" "$IPKG_INSTROOT/etc/config" "$IPKG_INSTROOT/tmp"
    cp "$files/translate.sh" "$files/check.sh" "$IPKG_INSTROOT/usr/lib/siproxd/"
    for file in siproxd network firewall fstab; do
        [ ! -e "$case/$file" ] || use "$case/$file" "$file"
    done
    while read -r what rest; do
        echo "== $what${rest:+ $rest}" >>"$IPKG_INSTROOT/record"
        step "$shell" "$what" "$rest"
    done <<END
$(cat "$case/steps" 2>/dev/null || echo start)
END
    for conf in "$IPKG_INSTROOT"/var/etc/siproxd/*.conf; do
        [ -e "$conf" ] || continue
        echo "== $(stat -c %a "$conf") ${conf##*/}" >>"$IPKG_INSTROOT/record"
        cat "$conf" >>"$IPKG_INSTROOT/record"
    done
    # What else is there: copies of passwords, and nothing that should have gone.
    for file in "$IPKG_INSTROOT"/var/etc/siproxd/*; do
        case $file in
        *.conf | *.instance | *.rules | *.said | *.started | *'*') ;;
        *) echo "== $(stat -c %a "$file") ${file##*/}" >>"$IPKG_INSTROOT/record" ;;
        esac
    done
    # What the real uci says of a file, and puts behind the number of a section without a name, is its own affair; so are this machine's interfaces.
    sed "s|$IPKG_INSTROOT||g; s/siproxd-check\.[A-Za-z0-9]\{6\}/siproxd-check/g; s/There are: .*/There are: …/; s/: [^ ]*uci: Parse error .*; mend/: uci: Parse error; mend/; s/\bcfg\(..\)[0-9a-f]\{4\}\b/cfg\10000/g" "$IPKG_INSTROOT/record"
    rm -r "$IPKG_INSTROOT"
}

# Each directive of the shipped siproxd.conf, as an option of the same name, is in the siproxd.conf that comes of it. Those that are not passed on as
# they are, and those that name files of this machine, have cases of their own.
every_directive() {
    case=$(mktemp -d)
    sed -n 's/^#\{0,1\}\([A-Za-z_]* = .*\)/\1/p' ../../config/siproxd.conf |
        grep -v '^\(user\|pid_file\|plugindir\|proxy_auth_pwfile\|daemonize\|chrootjail\|registration_file\|control_socket\) =' >"$case/lines"
    {
        echo "config siproxd general"
        sed "s/'/'\\\\''/g; s/^\([^ ]*\) = \(.*\)/    option \1 '\2'/" "$case/lines"
    } >"$case/siproxd"
    play "$case" "${shells%%,*}" >"$got"
    grep -vxF -f "$got" "$case/lines" >"$case/missing" || true
    if [ ! -s "$case/lines" ] || [ -s "$case/missing" ]; then
        grep '^log' "$got" || true
        echo "not in siproxd.conf, though options of these names are set:" >&2
        cat "$case/missing" >&2
        failed=1
    fi
    rm -r "$case"
}

failed=0
scratch=$(mktemp -d)
got=$scratch/got
trap 'rm -rf "$scratch"' EXIT
if [ $# -eq 0 ]; then
    every_directive
    set -- cases/*
fi
for case in "$@"; do
    IFS=,
    for shell in $shells; do
        unset IFS
        play "${case%/}" "${shell# }" >"$got"
        [ -z "${UPDATE:-}" ] || cp "$got" "$case/expected"
        diff -u "$case/expected" "$got" || { echo "$case differs under ${shell# }${UCI:+ with the real uci}" >&2; failed=1; }
    done
done
[ "$failed" -eq 0 ] && echo "openwrt: ok${UCI:+ with the real uci}"
exit "$failed"
