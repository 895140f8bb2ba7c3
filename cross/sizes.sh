#!/bin/bash
# sizes.sh: the sizes of the programs that build.sh has made and of their packages; fails where one is larger than the file `sizes` permits.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
built=${CARGO_TARGET_DIR:-$here/../target}
packages=$(mktemp -d)
trap 'rm -r "$packages"' EXIT
/usr/bin/python3 -B "$here/../openwrt/pack/pack.py" "$packages" >/dev/null

# Of the file of that name: the first architecture with this target's program.
architecture() {
    awk -v target="$1" '$2 == target { print $1; exit }' "$here/../openwrt/pack/architectures"
}

failed=0
check() {
    [ "$2" -le "$3" ] || { echo "$1: $(($2 - $3)) bytes more than cross/sizes permits" >&2; failed=1; }
}

printf '%-32s %9s %9s %9s %9s %10s\n' target program permitted .ipk permitted .bss
while read -r target program_limit package_limit; do
    program=$(stat -L -c %s "$built/$target/release/siproxd")
    package=$(stat -c %s "$packages/$(architecture "$target")"/*.ipk)
    bss=$(size -A "$built/$target/release/siproxd" | awk '$1 == ".bss" { print $2 }')
    printf '%-32s %9d %9d %9d %9d %10d\n' "$target" "$program" "$program_limit" "$package" "$package_limit" "$bss"
    check "$target, program" "$program" "$program_limit"
    check "$target, .ipk" "$package" "$package_limit"
done < <(grep -v '^#' "$here/sizes")
while read -r target; do
    grep -q "^$target " "$here/sizes" || { echo "$target: not in cross/sizes" >&2; failed=1; }
done < <(sed -n 's/^\([^# ][^ ]*\) .*/\1/p' "$here/targets")
exit $failed
