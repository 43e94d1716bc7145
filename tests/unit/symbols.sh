#!/bin/sh
# What the module is: its faces, three libraries and no more, nothing that starts
# a program, a thread or a connection, and no memory of its own between logins.
module=${builddir:?}/.libs/pam_skewgate.so
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
faces='pam_sm_acct_mgmt
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

echo 1..6
check 'its faces are exported' "$(echo "$faces" | grep -vxF "$exported")"
check 'and nothing else' "$(echo "$exported" | grep -vxF "$faces")"
check 'it needs libcrypto, jansson, libpam and the C library only' \
	"$(echo "$needed" | grep -vE '^lib(crypto\.so\.3|jansson\.so\.4|pam\.so\.0|c\.so\.6)$')"
check 'it starts no program or thread, opens no connection, handles no signal' \
	"$(echo "$imported" | grep -xE '(v?fork|clone|exec.*|posix_spawn.*|system|popen|p?thread_.*|pthread_.*|socket|connect|bind|sendto|getaddrinfo|gethostby.*|dlopen|signal|sigaction|getenv|putenv|setenv|exit|abort)')"
check 'it has no variables' "$mutable"
check 'it does not log or say anything but through libpam' \
	"$(echo "$imported" | grep -xE '(v?syslog|__v?syslog_chk|v?printf|__v?printf_chk|puts|perror|stdout|stderr)')"
