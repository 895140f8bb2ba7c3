#!/bin/sh
# where.sh PROGRAM CRASH: the functions and lines of a crash file. PROGRAM is siproxd.debug of the very build that crashed.
set -eu
base=$(sed -n 's/^loaded at 0x//p' "$2" | head -n 1)
# A program that is not moved when it is loaded (ELF type EXEC) has its own addresses.
case $(readelf -h "$1" 2>/dev/null | sed -n 's/^ *Type: *\([A-Z]*\).*/\1/p') in EXEC) base=0 ;; esac
sed -n 's/^ *[0-9]*: *0x\([0-9a-f]*\).*/\1/p' "$2" | while read -r address; do
    # A return address is behind the call: the line of the call is one byte before.
    printf '0x%x\n' $((0x$address - 0x${base:-0} - 1))
done | addr2line -e "$1" -f -C -i -p
