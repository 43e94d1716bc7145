#!/bin/sh
# The lens: augparse checks its types, and runs its tests.
: "${srcdir:?}"

echo 1..2
if output=$(augparse --nostdinc -I "$srcdir/lib/ntpconf" \
	"$srcdir/lib/ntpconf/skewgate_ntp.aug" 2>&1); then
	echo 'ok 1 - the lens type checks'
else
	echo 'not ok 1 - the lens type checks'
	echo "$output" | sed 's/^/# /'
fi
if output=$(augparse --nostdinc -I "$srcdir/lib/ntpconf" \
	"$srcdir/tests/unit/ntpconf_lens.aug" 2>&1); then
	echo 'ok 2 - the lens reads and writes what it should'
else
	echo 'not ok 2 - the lens reads and writes what it should'
	echo "$output" | sed 's/^/# /'
fi
