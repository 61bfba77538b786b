#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# hardened.sh FILE...: says what a program or library lacks, and fails if one lacks anything.
failed=0
complain() { echo "$1"; failed=1; }
for file in "$@"; do
    [ -n "$file" ] || continue
    what=$(LC_ALL=C readelf -lWd "$file") || exit 1
    echo "$what" | grep -q GNU_RELRO || complain "$file: no RELRO"
    echo "$what" | grep -q 'FLAGS_1.*NOW' || complain "$file: symbols are bound late"
    # A ':' at an end, or two of them, stand for the current directory.
    echo "$what" | sed -n 's/.*(R\(UN\)*PATH).*\[\(.*\)\]/:\2/p' | grep -q ':\([^/$]\|$\)' &&
        complain "$file: looks for libraries in the current directory"
done
exit $failed
