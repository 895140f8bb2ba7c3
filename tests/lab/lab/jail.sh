#!/bin/sh
# Runs a program as procd's jail does (ujail): with a root directory that has what it was told to mount, and nothing else, in a process
# namespace of its own.
#
# jail.sh INSTANCE ROOT LOG USER:GROUP PROGRAM... (numbers: the jail has no names): INSTANCE is the init script's file for procd, ROOT an empty directory, LOG the socket of syslog.
set -eu

if [ "$1" != inside ]; then
    exec unshare --mount --pid --fork --kill-child=TERM "$0" inside "$@"
fi
shift
instance=$1 root=$2 log=$3 owner=$4
shift 4

# A file or a directory, at the same place.
show() {
    [ -e "$1" ] || return 0
    if [ -d "$1" ]; then
        mkdir -p "$root$1"
    else
        mkdir -p "$root$(dirname "$1")"
        touch "$root$1"
    fi
    mount --bind "$1" "$root$1"
    [ "$2" = rw ] || mount -o remount,ro,bind "$root$1"
}

mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$root"
# A program's libraries come by themselves.
for file in "$1" $(ldd "$1" | grep -o '/[^ ]*'); do
    show "$file" ro
done
while read -r what rest; do
    for path in $rest; do
        case $what in
        mount) show "$path" ro ;;
        mount_rw) show "$path" rw ;;
        jail)
            case $path in
            procfs) mkdir -p "$root/proc" && mount -t proc proc "$root/proc" ;;
            log) mkdir -p "$root/dev" && touch "$root/dev/log" && mount --bind "$log" "$root/dev/log" ;;
            esac
            ;;
        esac
    done
done <"$instance"
mount -o remount,ro,bind "$root"
exec chroot --userspec="$owner" --groups= "$root" "$@" 2>/dev/null
