#!/bin/bash
# test.sh: what must hold of the programs for routers, run under emulation; as root, after build.sh has built all of `targets`.
#
# Sizes first, then for each of MIPS, ARM and x86 that has another order of bytes, size of numbers or version: the unit, golden, torture
# and platform tests, and a phone that registers and calls; at last, where a program stopped that was aborted, and memory in RAM.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
built=${CARGO_TARGET_DIR:-$root/target}
CROSS_DIR=$(realpath -m "${CROSS_DIR:-$root/target/cross}")
export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 PATH="$CROSS_DIR/bin:$PATH"

# Seconds until a test program has hung; the longest takes a tenth on an idle machine.
limit=900

# Target, and what the tests find it to be: architecture, order of bytes, bits of a `usize`.
tested="mips-unknown-linux-musl mips big 32
mipsel-unknown-linux-musl mips little 32
armv7-unknown-linux-musleabihf arm little 32
aarch64-unknown-linux-musl aarch64 little 64"

# Of `config.toml`: the emulator.
emulator() {
    sed -n "/^\[target\.$1\]/,/^\[/s/^runner = \"\(.*\)\"/\1/p" "$here/config.toml"
}

# The paths of the test programs. A panic aborts, as the standard library has no unwinding there: so they run in one process.
test_programs() {
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_PANIC=abort /usr/bin/cargo --config "$here/config.toml" \
        test --no-run --locked --no-default-features --lib --test golden --test torture --test platform --target "$1" \
        -Zpanic-abort-tests --message-format json-render-diagnostics |
        sed -n 's/.*"profile":{[^}]*"test":true}.*"executable":"\([^"]*\)".*/\1/p'
}

run_tests() {
    local target=$1 platform=$2 programs program
    programs=$(cd "$root" && test_programs "$target")
    [ "$(wc -w <<<"$programs")" -eq 4 ] || { echo "$target: not four test programs: $programs" >&2; return 1; }
    for program in $programs; do
        echo "$target: ${program##*/}"
        # Tests keep whole engines on their stacks (.cargo/config.toml).
        # shellcheck disable=SC2046
        (cd "$root" && RUST_MIN_STACK=33554432 SIPROXD_PLATFORM=$platform CARGO_MANIFEST_DIR=$root \
            timeout "$limit" $(emulator "$target") "$program" -Zunstable-options --force-run-in-process --quiet $(skipped)) ||
            { echo "$target: ${program##*/} failed" >&2; return 1; }
    done
}

skipped() {
    sed 's/ *#.*//; /^$/d; s/^/--skip /' "$here/skipped-tests"
}

"$here/sizes.sh"
while read -r target platform; do
    run_tests "$target" "$platform"
done <<<"$tested"
while read -r target _; do
    printf '%s: ' "$target"
    # shellcheck disable=SC2046
    timeout "$limit" unshare --net "$here/call.py" $(emulator "$target") "$built/$target/release/siproxd"
done <<<"$tested"
# shellcheck disable=SC2046
timeout "$limit" unshare --net "$here/aborted.py" "$built/mips-unknown-linux-musl/release/siproxd" $(emulator mips-unknown-linux-musl)
timeout "$limit" "$here/memory.py" "$built/x86_64-unknown-linux-musl/release/siproxd"
