#!/bin/sh
# Compares the stand-in for `uci` with the real one: each file of the cases is read by both, and some cases are played with the real one.
#
# The real `uci` is built of the C sources in the crate libuci-sys, into target/; quick where that is done. It is linked to nothing of ours.
set -eu

cd "$(dirname "$0")"
manifest=uci/Cargo.toml
version=$(sed -n 's/^libuci-sys = "=\(.*\)"/\1/p' "$manifest")
into=${CARGO_TARGET_DIR:-../../target}/uci-$version
mkdir -p "$into/include"
UCI=$(realpath "$into")/uci
export UCI

if [ ! -x "$UCI" ]; then
    cargo fetch --quiet --locked --manifest-path "$manifest"
    crate=$(cargo metadata --quiet --locked --offline --format-version 1 --manifest-path "$manifest" |
        sed 's/.*"manifest_path":"\([^"]*libuci-sys[^"]*\)\/Cargo.toml".*/\1/')
    ln -sfn "$crate/libubox" "$into/include/libubox"
    # The crate has it made by its build; nothing in it is switched on.
    : >"$into/include/uci_config.h"
    parts=
    for part in libubox/blob libubox/blobmsg libubox/utils libubox/md5 libubox/avl libubox/avl-cmp \
        uci/cli uci/libuci uci/file uci/util uci/delta uci/parse uci/blob; do
        parts="$parts $crate/$part.c"
    done
    # shellcheck disable=SC2086
    cc -O1 -w -D_GNU_SOURCE -I"$into/include" -I"$crate/uci" -o "$UCI.new" $parts
    mv "$UCI.new" "$UCI"
fi

# What a `uci` reads in a file; what it says of one that is wrong is its own affair.
read_by() {
    if "$@" show "$name" >/dev/null 2>&1; then
        "$@" -S -n export "$name" | sed 's/\bcfg\(..\)[0-9a-f]\{4\}\b/cfg\10000/g'
    else
        echo "no file of UCI"
    fi
}

failed=0
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT
for file in uci/files/* cases/*/siproxd* cases/*/network cases/*/firewall cases/*/fstab ../../openwrt/siproxd/files/siproxd.config; do
    [ -e "$file" ] || continue
    name=siproxd
    cp "$file" "$scratch/$name"
    read_by python3 uci.py "$scratch" >"$scratch/ours"
    read_by "$UCI" -c "$scratch" >"$scratch/theirs"
    diff -u "$scratch/theirs" "$scratch/ours" || { echo "$file is read in another way by the real uci" >&2; failed=1; }
done
[ "$failed" -eq 0 ] && echo "uci: ok"
./run.sh cases/quoting cases/lists cases/instances cases/broken_file || failed=1
exit "$failed"
