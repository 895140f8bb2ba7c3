#!/bin/bash
# build.sh TARGET...: stripped static release programs, target/TARGET/release/siproxd, and their sizes.
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
for target in "${targets[@]}"; do
    /usr/bin/cargo --config cross/config.toml build --release --locked --quiet --bin siproxd --target "$target" "$@"
    program=${CARGO_TARGET_DIR:-target}/$target/release/siproxd
    printf '%-32s %9d bytes  %s\n' "$target" "$(stat -c %s "$program")" "$program"
done
