#!/bin/bash
# build.sh TARGET...: stripped static release programs, target/TARGET/release/siproxd, and their sizes; the symbols of each beside it, in
# siproxd.debug.
#
# Sets the targets up first (see setup.sh, whose CROSS_DIR is heeded). Words after `--` go to cargo.
#
# CROSS_CARGO  words that build in place of Debian's cargo: `cross`, which sets its image up and takes one TARGET (see container.sh)
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
CROSS_DIR=$(realpath -m "${CROSS_DIR:-$root/target/cross}")
export CROSS_DIR
cd "$root"
targets=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    targets+=("$1")
    shift
done
[ $# -eq 0 ] || shift

if [ -n "${CROSS_CARGO:-}" ]; then
    read -ra cargo <<<"$CROSS_CARGO"
    # Where `cross` has them in its container.
    sources=/project registry=/cargo/registry/src
else
    cross/setup.sh "${targets[@]}"
    # Debian's own toolchain: rustup's has no source of the standard library that its compiler accepts without a nightly.
    cargo=(/usr/bin/cargo)
    export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 PATH="$CROSS_DIR/bin:$PATH"
    sources=$root registry=$(realpath -m "${CARGO_HOME:-$HOME/.cargo}/registry/src")
fi
# Panics and symbols name source files, and the build id is a digest of both: without this machine's directories.
paths="target.'cfg(target_env = \"musl\")'.rustflags = [\"--remap-path-prefix=$registry/=\", \"--remap-path-prefix=$sources=.\"]"
# One cargo for all of them, so that it keeps every processor busy: most of a build is one link that has one thread. The command first:
# `cross` looks for it there, and takes one target.
"${cargo[@]}" build --config cross/config.toml --config "$paths" --config profile.release.strip=false \
    --config 'profile.release.debug="line-tables-only"' --release --locked --quiet --no-default-features --bin siproxd \
    "${targets[@]/#/--target=}" "$@"
for target in "${targets[@]}"; do
    program=${CARGO_TARGET_DIR:-target}/$target/release/siproxd
    # Cargo leaves a program alone that is up to date: its symbols are there already then.
    if readelf -S "$program" | grep -q '\.symtab'; then
        objcopy --only-keep-debug "$program" "$program.debug"
        objcopy --strip-all "$program"
    fi
    # Such a program would be another one where it is built in another directory.
    if grep -qaF -e "$sources/" -e "$registry/" "$program" "$program.debug"; then
        echo "$target: the program or its symbols name directories of this machine" >&2
        exit 1
    fi
    printf '%-32s %9d bytes  %s\n' "$target" "$(stat -c %s "$program")" "$program"
done
