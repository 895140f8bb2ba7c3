#!/bin/bash
# container.sh TARGET...: builds with `cross` in a container of podman, and shows that the programs are those of build.sh and behave like
# them: sizes, bytes, and a call under the emulator by each; as root, on Debian 12.
#
# No image registry is needed: debootstrap makes the image from the machine's own mirror of Debian. What is written is in target/container
# of this repository, in podman's storage (images, which stay for the next time) and in cargo's registry; packages are installed.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
work=$root/target/container
base=localhost/siproxd-debian:12
version=0.2.5
cross=$work/cross-$version/bin/cross

# Seconds until a call has hung; it takes a tenth on an idle machine.
limit=900

install_packages() {
    local packages="podman runc debootstrap"
    # shellcheck disable=SC2086
    if ! dpkg -s $packages >/dev/null 2>&1; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $packages >/dev/null
    fi
    [ -x "$cross" ] || RUSTC=/usr/bin/rustc /usr/bin/cargo install --quiet --locked --root "${cross%/bin/cross}" --version "$version" cross
}

# Containers as a machine permits them that is itself something like one: no other limits, no network or system call filter of their own.
configure_podman() {
    cat >"$work/containers.conf" <<-'CONF'
	[containers]
	default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
	netns = "host"
	seccomp_profile = "unconfined"
	[engine]
	runtime = "runc"
	cgroup_manager = "cgroupfs"
	events_logger = "file"
	CONF
    export CONTAINERS_CONF=$work/containers.conf
}

# Debian 12 with the machine's own sources of packages.
make_base() {
    ! podman image exists "$base" || return 0
    echo "container: the image $base" >&2
    local tree file
    tree=$(mktemp -d)
    debootstrap --variant=minbase --include=ca-certificates bookworm "$tree/root" "$(mirror)" >"$work/debootstrap.log" 2>&1 ||
        { tail "$work/debootstrap.log" >&2; rm -rf "$tree"; return 1; }
    rm -f "$tree/root/etc/apt/sources.list"
    for file in sources.list sources.list.d/debian.sources; do
        [ ! -e "/etc/apt/$file" ] || cp "/etc/apt/$file" "$tree/root/etc/apt/$file"
    done
    tar -C "$tree/root" -c . | podman import --quiet - "$base" >/dev/null
    rm -rf "$tree"
}

# Of the machine's sources: the first.
mirror() {
    local file
    for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
        [ ! -e "$file" ] || sed -n 's/^URIs: *//p; s/^deb [^h]*\(http[^ ]*\) .*/\1/p' "$file"
    done | head -n 1
}

# `cross` asks rustup which toolchains there are, by the name of their directory, which for Debian's in /usr rustup does not know, and after a
# failure which targets they have; and it would have rustup fetch what it misses. Nothing is to be fetched, nor this machine's toolchains
# changed: nothing else is answered.
answer_for_rustup() {
    mkdir -p "$work/answers"
    cat >"$work/answers/rustup" <<-ANSWER
	#!/bin/sh
	case "\$1 \$2" in
	    "toolchain list") echo usr ;;
	    "component list") sed -n 's/^\([^# ][^ ]*\) .*/rust-std-\1 (installed)/p' "$here/targets" ;;
	    *) exit 1 ;;
	esac
	ANSWER
    chmod +x "$work/answers/rustup"
}

build_in_container() {
    local commit
    commit=$(git -C "$root" rev-parse HEAD 2>/dev/null) || commit=
    (
        export PATH="$work/answers:/usr/bin:$PATH" RUSTC=/usr/bin/rustc XARGO_HOME=$work/xargo CARGO_TARGET_DIR=$work
        # The directory that the container sees need not have the repository's history.
        [ -z "$commit" ] || export SIPROXD_COMMIT=$commit
        export CROSS_CARGO=$cross CROSS_CONTAINER_ENGINE=podman CROSS_CUSTOM_TOOLCHAIN=1
        export CROSS_BUILD_OPTS="--build-arg BASE=$base --isolation=chroot --ulimit nofile=1024:4096 --ulimit nproc=4096:4096"
        "$here/build.sh" "$1"
    )
}

# Of `config.toml`: the emulator.
emulator() {
    sed -n "/^\[target\.$1\]/,/^\[/s/^runner = \"\(.*\)\"/\1/p" "$here/config.toml"
}

compare() {
    local target=$1 ours=$root/target/$1/release/siproxd other=$work/$1/release/siproxd program
    for program in "$ours" "$other"; do
        printf '%s: %9d bytes, %s, ' "$target" "$(stat -L -c %s "$program")" "$(sha256sum <"$program" | cut -c -16)"
        # shellcheck disable=SC2046
        timeout "$limit" unshare --net "$here/call.py" $(emulator "$target") "$program"
    done
    cmp "$ours" "$other" && echo "$target: the same bytes"
}

# Those that this has made.
images() {
    podman images --filter reference="$base" --filter reference="cross-custom-*" --format '{{.Repository}}:{{.Tag}}' | xargs
}

mkdir -p "$work"
CARGO_TARGET_DIR=$root/target "$here/build.sh" "$@"
install_packages
configure_podman
make_base
answer_for_rustup
for target in "$@"; do
    build_in_container "$target"
    compare "$target"
done
echo "Images stay for the next time. To remove them: podman rmi $(images)"
