#!/bin/bash
# setup.sh TARGET...: what it takes to link static programs for routers, on Debian 12, as root.
#
# For each target of the file `targets` beside this one it makes
#   $CROSS_DIR/TARGET         musl, built with clang from Debian's source
#   $CROSS_DIR/bin/ld-TARGET  the linker: ld.lld with the above
# and before, where they are missing, installs Debian's packages. What is there already is left alone.
#
# CROSS_DIR    where; `target/cross` of this repository if unset
# SKIP_RUST=1  no Rust toolchain: another one is at hand, as in a container of `cross`
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
dir=${CROSS_DIR:-$here/../target/cross}
llvm=22

install_packages() {
    local packages="clang-$llvm lld-$llvm qemu-user-static make dpkg-dev xz-utils binutils binutils-multiarch gcc libc6-dev ca-certificates"
    [ "${SKIP_RUST:-0}" = 1 ] || packages="$packages rustc-web cargo-web rust-web-src"
    # shellcheck disable=SC2086
    if ! dpkg -s $packages >/dev/null 2>&1; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $packages >/dev/null
    fi
}

# The machine has sources of binary packages: lists of source packages are made from them aside, so that nothing of the
# machine's own changes.
fetch_musl() {
    compgen -G "$dir/src/musl_*.orig.tar.gz" >/dev/null && return
    local apt
    apt=$(mktemp -d)
    mkdir -p "$apt/lists/partial" "$apt/parts" "$dir/src"
    if [ -e /etc/apt/sources.list.d/debian.sources ]; then
        sed 's/^Types:.*/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >"$apt/parts/debian.sources"
    fi
    if [ -s /etc/apt/sources.list ]; then
        sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$apt/parts/debian.list"
    fi
    # As root apt would fetch as another user, who cannot write here.
    cat >"$apt/apt.conf" <<-CONF
	Dir::Etc::sourcelist "-";
	Dir::Etc::sourceparts "$apt/parts";
	Dir::State::lists "$apt/lists";
	APT::Sandbox::User "root";
	CONF
    (
        cd "$dir/src"
        export APT_CONFIG="$apt/apt.conf"
        apt-get update -qq
        apt-get source -qq --download-only musl
    )
    rm -rf "$apt"
}

# Of `targets`: the flags for clang.
flags_of() {
    awk -v target="$1" '$1 == target { $1 = ""; print; found = 1 } END { exit !found }' "$here/targets"
}

# Compiles musl's C files, 1,400, with one clang for each processor. `make` starts one for each file, and that takes three quarters of the
# time. `-cc1` is what each of those would run; the objects are the same, byte by byte. They lie beside the sources, and go where `make`
# looks for them, which sees to the rest: what is assembly or has flags of its own.
compile_at_once() {
    local plan common files
    plan=$(make -n lib/libc.a | grep ' -c ') || return 1
    common=$(awk -F ' -c -o ' '{ print $1 }' <<<"$plan" | sort | uniq -c | sort -rn | sed '1!d; s/^ *[0-9]* //')
    files=$(grep -F -- "$common -c" <<<"$plan" | sed -n 's/.* \([^ ]*\.c\)$/\1/p')
    make obj/include/bits/alltypes.h obj/include/bits/syscall.h obj/src/internal/version.h &&
        $common -c src/exit/exit.c -o one.o -### 2>&1 |
        sed -n '$s/ "-main-file-name" "[^"]*"//; $s/ "-o" .*/ -x c "$@"/p' >compile.sh &&
        xargs -P "$(nproc)" -n $(($(wc -l <<<"$files") / $(nproc) + 1)) sh compile.sh <<<"$files" || return 1
    awk '{ sub("/[^/]*$", ""); print }' <<<"$files" | sort -u | while read -r directory; do
        mkdir -p "obj/$directory" && mv "$directory"/*.o "obj/$directory/" || exit 1
    done
}

build_musl() {
    local target=$1 flags=$2 sysroot=$dir/$1 build
    [ ! -e "$sysroot/complete" ] || return 0
    echo "cross: musl for $target" >&2
    build=$(mktemp -d)
    rm -rf "$sysroot"
    mkdir -p "$sysroot"
    tar xf "$dir"/src/musl_*.orig.tar.gz --strip-components=1 -C "$build"
    (
        # Joined, as no failure ends what has an `||` behind it.
        # Debian's clang makes position-independent code by itself, which a static program has no use for: 8.6 KB on MIPS.
        export CC="clang-$llvm $flags -fno-pic" CFLAGS="-Os -ffunction-sections -fdata-sections" AR=ar RANLIB=ranlib LIBCC=-lnone
        cd "$build" &&
            ./configure --target="$target" --prefix="$sysroot" --disable-shared --disable-wrapper &&
            compile_at_once &&
            make -j"$(nproc)" lib/libc.a lib/crt1.o lib/crti.o lib/crtn.o &&
            $CC -Os -ffreestanding -fno-pic -c "$here/unwind.c" -o unwind.o &&
            ar crs lib/libunwind.a unwind.o &&
            cp -r lib "$sysroot/"
    ) >"$build/log" 2>&1 || { tail -20 "$build/log" >&2; return 1; }
    rm -rf "$build"
    touch "$sysroot/complete"
}

# rustc wants to name the kind of linker first, hence what is ours comes last.
write_linker() {
    local lib=$dir/$1/lib
    mkdir -p "$dir/bin"
    cat >"$dir/bin/ld-$1" <<-LINKER
	#!/bin/sh
	exec ld.lld-$llvm "\$@" -L"$lib" "$lib/crt1.o" "$lib/crti.o" "$lib/crtn.o" -T "$here/discard.ld" --build-id=sha1
	LINKER
    chmod +x "$dir/bin/ld-$1"
}

for target in "$@"; do
    flags_of "$target" >/dev/null || { echo "cross: $target is not in $here/targets" >&2; exit 2; }
done
install_packages
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
fetch_musl
for target in "$@"; do
    build_musl "$target" "$(flags_of "$target")"
    write_linker "$target"
done
