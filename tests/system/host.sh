# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the tests read these
# What a system test can do to its host, and what it can expect of it.
#
# A test runs as root in a test lab of its own (see lab): it may break whatever
# it likes. It fails with the first expectation that is not met.

set -eEu -o pipefail
: "${srcdir:?}" "${builddir:?}" "${LAB_FAR:?}"
trap 'echo "failed: line $LINENO of ${BASH_SOURCE[0]}: $BASH_COMMAND"' ERR

config=/etc/ntpsec/ntp.conf
server=169.254.169.123
export SKEWGATE_LENSES=$srcdir/lib/ntpconf
# Where the tests put their stand-ins.
PATH=/usr/local/sbin:/usr/local/bin:$PATH

fail() {
	echo "failed: $*"
	[ -s /tmp/out ] && sed 's/^/stdout: /' /tmp/out
	[ -s /tmp/err ] && sed 's/^/stderr: /' /tmp/err
	exit 1
}

# ---- the network -----------------------------------------------------------

# Runs a program on the far side, as a host of its own sees it: its processes are
# not this one's.
far() {
	nsenter --target "$LAB_FAR" --net unshare --pid --fork --kill-child "$@"
}

# The reference that serves this machine's own time: chrony's daemon.
start_reference() {
	cat >/tmp/reference.conf <<-END
		local stratum 3
		allow all
		cmdport 0
		bindaddress ${1-$server}
		bindaddress fd00:ec2::123
		pidfile /run/chronyd-reference.pid
	END
	far chronyd -d -x -u root -f /tmp/reference.conf \
		>/tmp/reference.log 2>&1 &
	await skewgate_answers "${1-$server}"
}

# A reference that is off by so many seconds.
start_wrong_reference() { # SECONDS [ADDRESS]
	echo "$1" >/tmp/reference-offset
	far "$srcdir/tests/system/reference" \
		"${2-$server}" /tmp/reference-offset >/tmp/reference.log 2>&1 &
	await skewgate_answers "${2-$server}"
}

skewgate_answers() {
	"$builddir/skewgate" query "$1" >/dev/null 2>&1
}

# Waits until a command succeeds, 20 s at most.
await() {
	local i
	for ((i = 0; i < 200; i++)); do
		"$@" && return 0
		sleep 0.1
	done
	fail "in vain: $*"
}

# ---- ntpd ------------------------------------------------------------------

start_ntpd() {
	"/etc/init.d/${1-ntpsec}" start >/tmp/init.log 2>&1
	await pidof ntpd >/dev/null
	ntpd_pid=$(pidof ntpd)
}

is_up() {
	pidof ntpd >/dev/null
}

# Kills it; while it starts there can be two of it.
kill_ntpd() {
	local pids
	await is_up
	read -ra pids < <(pidof ntpd)
	kill -KILL "${pids[@]}"
}

# ---- skewgate --------------------------------------------------------------

# Runs skewgate; what it says is in /tmp/out and /tmp/err, its exit code in $code.
skewgate() {
	code=0
	rm -f /tmp/json
	"$builddir/skewgate" "$@" >/tmp/out 2>/tmp/err || code=$?
}

# The same with --json, checked to be one object.
skewgate_json() {
	skewgate "$@" --json
	jq -e 'type == "object"' /tmp/out >/dev/null || fail 'not one JSON object'
	cp /tmp/out /tmp/json
}

# Runs it under strace, where a sanitizer cannot look for leaks.
traced() { # STRACE-OPTION...
	ASAN_OPTIONS=detect_leaks=0 strace -o /tmp/trace "$@"
}

expect_code() {
	[ "$code" = "$1" ] || fail "exit code $code, expected $1"
}

# A jq expression that must be true of the report.
expect() {
	jq -e "$1" /tmp/json >/dev/null || fail "the report does not say: $1"
}

expect_error() { # CODE WORD
	expect_code "$1"
	expect ".error.code == \"$2\""
}

expect_warning() {
	expect "[.warnings[].code] | index(\"$1\") != null"
}

expect_no_warning() {
	expect "[.warnings[].code] | index(\"$1\") == null"
}

expect_same() { # FILE FILE
	cmp "$1" "$2" || fail "$1 and $2 differ"
}

expect_text() { # PATTERN FILE
	grep -q -- "$1" "$2" || fail "$2 does not say: $1"
}

# ntpd has not been restarted since start_ntpd.
expect_same_ntpd() {
	[ "$(pidof ntpd)" = "$ntpd_pid" ] || fail 'ntpd is another process'
}

expect_other_ntpd() {
	is_up || fail 'ntpd does not run'
	[ "$(pidof ntpd)" != "$ntpd_pid" ] || fail 'ntpd is the same process'
}

# The proof by other means than skewgate's own.
expect_following() {
	shows_star "$server" || fail 'ntpq shows no * on the server'
	says_leap_00 || fail 'leap is not 00'
}

says_leap_00() {
	[[ $(ntpq -c 'rv 0 leap' 127.0.0.1) == *leap=00* ]]
}

# Whether ntpq marks the address as the one that ntpd follows.
shows_star() {
	[[ $(ntpq -pnw 127.0.0.1) == *$'\n*'"$1"* ]]
}

# No temporary file was left beside the config.
expect_clean() {
	local left
	left=$(find "$(dirname "$config")" -name '*skewgate*')
	[ -z "$left" ] || fail "left behind: $left"
}
