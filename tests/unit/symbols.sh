#!/bin/sh
# SPDX-License-Identifier: MIT
# What the module is: its entry points, three libraries and no more, nothing that starts
# a program, a thread or a connection, and no memory of its own between logins. And what
# each directory of lib/ never does, by what its own library imports.
module=${builddir:?}/.libs/pam_skewgate.so
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0

check() { # TITLE FOUND: what ought not to be there
	number=$((number + 1))
	if [ -z "$2" ]; then
		echo "ok $number - $1"
	else
		echo "not ok $number - $1"
		echo "$2" | sed 's/^/# /'
	fi
}

exported=$(nm --dynamic --defined-only "$module" | awk '$2 ~ /[A-Z]/ { print $3 }' | sort)
entry_points='pam_sm_acct_mgmt
pam_sm_authenticate
pam_sm_close_session
pam_sm_open_session
pam_sm_setcred'
imported=$(nm --dynamic --undefined-only "$module" | awk '{ print $NF }' | sed 's/@.*//')
needed=$(readelf --dynamic --wide "$module" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p')
variables=$(nm "$module" | awk '$2 ~ /[bBdD]/ { print $3, $1 }')
# What the loader makes read-only before the first call is no variable.
relro=$(readelf --program-headers --wide "$module" | awk '$1 == "GNU_RELRO" { print $3, $6 }')
mutable=$(echo "$variables" | while read -r name address; do
	# shellcheck disable=SC2086 # two numbers
	set -- $relro
	[ -n "$address" ] || continue
	[ $((0x$address)) -ge $(($1 + $2)) ] && echo "$name"
done | grep -vx -e __dso_handle -e completed.0 -e __TMC_END__)

check 'its entry points are exported' "$(echo "$entry_points" | grep -vxF "$exported")"
check 'and nothing else' "$(echo "$exported" | grep -vxF "$entry_points")"
check 'it needs libcrypto, jansson, libpam and the C library only' \
	"$(echo "$needed" | grep -vE '^lib(crypto\.so\.3|jansson\.so\.4|pam\.so\.0|c\.so\.6)$')"
check 'it starts no program or thread, opens no connection, handles no signal' \
	"$(echo "$imported" | grep -xE '(v?fork|clone|exec.*|posix_spawn.*|system|popen|p?thread_.*|pthread_.*|socket|connect|bind|sendto|getaddrinfo|gethostby.*|dlopen|signal|sigaction|getenv|putenv|setenv|exit|abort)')"
check 'it has no variables' "$mutable"
check 'it does not log or say anything but through libpam' \
	"$(echo "$imported" | grep -xE '(v?syslog|__v?syslog_chk|v?printf|__v?printf_chk|puts|perror|stdout|stderr)')"

# ---- who may do what -----------------------------------------------------------

starts='v?fork|clone|exec[lv].*|posix_spawn.*|system|popen|kill|waitpid'
talks='socket|connect|bind|send|sendto|sendmsg|recv|recvfrom|recvmsg|getaddrinfo|gethostby.*'
sets='clock_settime|settimeofday|stime'
reads='open|openat|fopen|opendir|scandir|read|stat|fstat|fstatat'

imports() { # FILE...
	nm --undefined-only "$@" | awk 'NF == 2 { print $2 }' | sed 's/@.*//' | sort -u
}

never() { # TITLE PATTERN DIRECTORY...
	title=$1 pattern=$2
	shift 2
	for directory in "$@"; do
		check "$directory $title" \
			"$(imports "$builddir/.libs/lib$directory.a" | grep -xE "$pattern")"
	done
}

never 'starts no program' "$starts" base clock gate jwt ntpconf policy sntp
never 'opens no socket' "$talks" base clock daemon gate jwt ntpconf policy process
never 'sets no clock' "$sets" base clock gate jwt ntpconf policy process sntp
never 'knows no room above it' 'sg_(command|process|sntp|service|ntpq|ntpd|step)_.*|aug_.*' \
	base clock gate jwt policy
never 'opens no file' "$reads" ntpconf jwt
# The same without what the linker throws away: purity is the design's, not a flag's.
pam=$builddir/lib/pam/.libs libraries=$builddir/.libs
"${CC:-cc}" -shared -o "$work/module.so" -Wl,--no-gc-sections -Wl,--whole-archive \
	"$pam/conversation.o" "$pam/pam_skewgate.o" "$pam/report.o" "$libraries/libpolicy.a" \
	"$libraries/libgate.a" "$libraries/libjwt.a" "$libraries/libclock.a" "$libraries/libbase.a" \
	-Wl,--no-whole-archive -lcrypto -ljansson -lpam 2>"$work/err" ||
	echo 'cannot be linked' >>"$work/err"
check 'the module is linked with all that it is made of' "$(cat "$work/err")"
check 'and starts nothing, talks to nobody, sets no clock either' \
	"$(imports --dynamic "$work/module.so" | grep -xE "$starts|$talks|$sets")"
# The patterns find what they are for.
for pair in "process:$starts" "sntp:$talks" "daemon:$sets"; do
	missing='not found'
	! imports "$builddir/.libs/lib${pair%%:*}.a" | grep -qxE "${pair#*:}" || missing=
	check "lib${pair%%:*} does what the others never do" "$missing"
done
echo "1..$number"
