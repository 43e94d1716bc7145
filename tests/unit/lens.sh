#!/bin/sh
# SPDX-License-Identifier: MIT
# The lens: augparse checks its types, and runs its tests.
: "${srcdir:?}"

number=0

check() { # TITLE FILE
	number=$((number + 1))
	if output=$(augparse --nostdinc -I "$srcdir/lib/ntpconf" "$srcdir/$2" 2>&1); then
		echo "ok $number - $1"
	else
		echo "not ok $number - $1"
		echo "$output" | sed 's/^/# /'
	fi
}

echo 1..2
check 'the lens type checks' lib/ntpconf/skewgate_ntp.aug
check 'the lens reads and writes what it should' tests/unit/ntpconf_lens.aug
