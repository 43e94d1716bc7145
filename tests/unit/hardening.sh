#!/bin/sh
# SPDX-License-Identifier: MIT
# What is shipped was built hardened: position-independent, read-only after
# relocation, with stack protector and checked string functions.
: "${builddir:?}"
number=0

check() { # FILE TITLE PATTERN READELF-OPTION...
	file=$1 title=$2 pattern=$3
	shift 3
	number=$((number + 1))
	if readelf --wide "$@" "$builddir/$file" | grep -Eq -- "$pattern"; then
		echo "ok $number - $file: $title"
	else
		echo "not ok $number - $file: $title"
	fi
}

echo 1..18
for file in skewgate skewgate-askpass .libs/pam_skewgate.so; do
	check "$file" 'position-independent' 'Type: +DYN' --file-header
	check "$file" 'relocations are read-only' 'GNU_RELRO' --program-headers
	check "$file" 'bound at the start' 'BIND_NOW|FLAGS_1.*NOW' --dynamic
	check "$file" 'the stack is not executable' 'GNU_STACK.* RW +0x' --program-headers
	check "$file" 'stack protector' '__stack_chk_fail' --symbols
	check "$file" 'checked functions' '__[a-z]+_chk' --symbols
done
