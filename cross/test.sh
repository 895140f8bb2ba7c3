#!/bin/bash
# test.sh: what must hold of the programs for routers, run under emulation; as root, after build.sh has built all of `targets`.
#
# Sizes first, and that each target is built the same alone as with the others; then for each of MIPS, ARM and x86 that has another order of bytes, size of numbers or version: the unit, golden, torture
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

# Target and path of each test program. A panic aborts, as the standard library has no unwinding there: so they run in one process.
test_programs() {
    # shellcheck disable=SC2046
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_PANIC=abort /usr/bin/cargo --config "$here/config.toml" \
        test --no-run --locked --quiet --no-default-features --lib --test golden --test torture --test platform \
        $(awk '{ print "--target=" $1 }' <<<"$tested") -Zpanic-abort-tests --message-format json-render-diagnostics |
        sed -n 's/.*"profile":{[^}]*"test":true}.*"executable":"\([^"]*\)".*/\1/p' |
        sed 's|^.*/\([^/]*\)/debug/deps/.*$|\1 &|'
}

# Runs one test program; what it says is kept together, as two of them run at a time.
run_test() {
    local target=$1 program=$2 began=$SECONDS platform said failed=0
    platform=$(sed -n "s/^$target //p" <<<"$tested")
    # Tests keep whole engines on their stacks (.cargo/config.toml). Properties are tried with all their cases where that is quick, by `make test`.
    # shellcheck disable=SC2046
    said=$(cd "$root" && RUST_MIN_STACK=33554432 PROPTEST_CASES=64 SIPROXD_PLATFORM=$platform CARGO_MANIFEST_DIR=$root \
        timeout "$limit" $(emulator "$target") "$program" -Zunstable-options --force-run-in-process --quiet $(skipped) 2>&1) || failed=1
    if [ $failed -eq 1 ]; then
        printf '%s\n%s: %s failed\n' "$said" "$target" "${program##*/}" >&2
        return 1
    fi
    printf '%s: %s: %s, %d s\n' "$target" "${program##*/}" "$(sed -n 's/^test result: ok. \([0-9]* passed\).*/\1/p' <<<"$said")" $((SECONDS - began))
}

skipped() {
    sed 's/ *#.*//; /^$/d; s/^/--skip /' "$here/skipped-tests"
}

# What cargo would compile for the first of these targets when it builds all of them: crates with their features and flags.
units() {
    /usr/bin/cargo --config "$here/config.toml" build --release --locked --no-default-features --bin siproxd \
        "${@/#/--target=}" -Zunstable-options --unit-graph |
        /usr/bin/python3 -c 'import json, sys
units = [unit for unit in json.load(sys.stdin)["units"] if unit["platform"] == sys.argv[1]]
print(*sorted(" ".join(str(unit[what]) for what in ("pkg_id", "features", "profile")) for unit in units), sep="\n")' "$1"
}

# The bytes of a program must not depend on what else was built.
compare_units() {
    local all target alone together
    mapfile -t all < <(sed -n 's/^\([^# ][^ ]*\) .*/\1/p' "$here/targets")
    for target in "${all[@]}"; do
        alone=$(units "$target")
        together=$(units "$target" "${all[@]}")
        diff <(echo "$alone") <(echo "$together") || { echo "$target: built otherwise alone than with the others" >&2; return 1; }
    done
}

if [ "${1:-}" = --one ]; then
    run_test "$2" "$3"
    exit
fi
"$here/sizes.sh"
(cd "$root" && compare_units)
programs=$(cd "$root" && test_programs)
[ "$(wc -l <<<"$programs")" -eq $((4 * $(wc -l <<<"$tested"))) ] || { echo "not four test programs of each: $programs" >&2; exit 1; }
# The unit tests take longest, and so they come first.
{ grep '/siproxd-' <<<"$programs"; grep -v '/siproxd-' <<<"$programs"; } | xargs -L 1 -P "$(nproc)" "$here/test.sh" --one
while read -r target _; do
    printf '%s: ' "$target"
    # shellcheck disable=SC2046
    timeout "$limit" unshare --net "$here/call.py" $(emulator "$target") "$built/$target/release/siproxd"
done <<<"$tested"
# shellcheck disable=SC2046
timeout "$limit" unshare --net "$here/aborted.py" "$built/mips-unknown-linux-musl/release/siproxd" $(emulator mips-unknown-linux-musl)
timeout "$limit" "$here/memory.py" "$built/x86_64-unknown-linux-musl/release/siproxd"
