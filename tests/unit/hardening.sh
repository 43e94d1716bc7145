#!/bin/sh
# What is shipped was built hardened: position-independent, read-only after
# relocation, with stack protector and checked string functions.

program=${builddir:?}/skewgate
number=0

check() { # TITLE PATTERN READELF-OPTION...
	title=$1 pattern=$2
	shift 2
	number=$((number + 1))
	if readelf --wide "$@" "$program" | grep -Eq -- "$pattern"; then
		echo "ok $number - $title"
	else
		echo "not ok $number - $title"
	fi
}

echo 1..6
check 'position-independent' 'Type: +DYN' --file-header
check 'relocations are read-only' 'GNU_RELRO' --program-headers
check 'bound at the start' 'BIND_NOW|FLAGS_1.*NOW' --dynamic
check 'the stack is not executable' 'GNU_STACK.* RW +0x' --program-headers
check 'stack protector' '__stack_chk_fail' --symbols
check 'checked functions' '__[a-z]+_chk' --symbols
