#!/bin/bash
# build.sh TARGET...: stripped static release programs, target/TARGET/release/siproxd, and their sizes; the symbols of each beside it, in
# siproxd.debug.
#
# Sets the targets up first (see setup.sh, whose CROSS_DIR is heeded). Words after `--` go to cargo.
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

cross/setup.sh "${targets[@]}"
# Debian's own toolchain: rustup's has no source of the standard library that its compiler accepts without a nightly.
export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
export PATH="$CROSS_DIR/bin:$PATH"
# Panics name the source files of crates: without this machine's directories.
paths="target.'cfg(target_env = \"musl\")'.rustflags = [\"--remap-path-prefix=$(realpath -m "${CARGO_HOME:-$HOME/.cargo}/registry/src")/=\"]"
for target in "${targets[@]}"; do
    /usr/bin/cargo --config cross/config.toml --config "$paths" --config profile.release.strip=false \
        --config 'profile.release.debug="line-tables-only"' build --release --locked --quiet --no-default-features --bin siproxd \
        --target "$target" "$@"
    program=${CARGO_TARGET_DIR:-target}/$target/release/siproxd
    # Cargo leaves a program alone that is up to date: its symbols are there already then.
    if readelf -S "$program" | grep -q '\.symtab'; then
        objcopy --only-keep-debug "$program" "$program.debug"
        objcopy --strip-all "$program"
    fi
    printf '%-32s %9d bytes  %s\n' "$target" "$(stat -c %s "$program")" "$program"
done
