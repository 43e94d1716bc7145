#!/bin/sh
# SPDX-License-Identifier: MIT
# skewgate-askpass: which prompts it answers, with what, and what it leaves behind.
# shellcheck disable=SC2089,SC2090 # commands are the program's to split
askpass=${builddir:?}/skewgate-askpass
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset SKEWGATE_TOKEN_FILE SKEWGATE_TOKEN_COMMAND SSH_ASKPASS_PROMPT
umask 077 # of what others can read it warns
number=0

token() { # BYTES
	awk -v size="$1" 'BEGIN { for (i = 0; i < size; i++) printf "%c", 97 + int(i / 7) % 26 }'
}

answer() { # PROMPT: what it says is in out and err, its exit status in $status
	status=0
	"$askpass" "$1" >"$work/out" 2>"$work/err" || status=$?
}

report() { # TITLE: by the status of the last command
	met=$?
	number=$((number + 1))
	if [ "$met" = 0 ]; then
		echo "ok $number - $1"
	else
		echo "not ok $number - $1"
		sed 's/^/# /' "$work/out" "$work/err"
	fi
}

gives() { # TITLE PROMPT EXPECTED
	answer "$2"
	[ "$status" = 0 ] && [ "$(cat "$work/out")" = "$3" ] && [ ! -s "$work/err" ]
	report "$1"
}

refuses() { # TITLE PROMPT [WORD]: nothing on stdout, the reason on stderr
	answer "$2"
	[ "$status" = 1 ] && [ ! -s "$work/out" ] && grep -q -- "${3-}" "$work/err"
	report "$1"
}

# ---- prompts -----------------------------------------------------------------

token 2500 >"$work/token"
export SKEWGATE_TOKEN_FILE="$work/token"
first=$(token 2500 | head -c 1023)
second=$(token 2500 | tail -c +1024 | head -c 1023)
third=$(token 2500 | tail -c +2047)
gives 'the first part' '(alice@host) JWT: ' "$first"
gives 'the second part' '(alice@host) JWT (part 2): ' "$second"
gives 'the last part' '(alice@host) JWT (part 3): ' "$third"
gives 'lines before the question' '(alice@host) Some advice.
More of it.
JWT (part 2): ' "$second"
gives 'an IPv6 address' '(alice@fd00:ec2::1) JWT: ' "$first"
for prompt in '' 'JWT: ' 'JWT (part 2): ' '(alice@host) JWT:' '(alice@host)JWT: ' \
	'(alice@host) jwt: ' '(alice@host) JWT: JWT: ' '(alice@host) Password: ' \
	'(alice@host) JWT (part 1): ' '(alice@host) JWT (part 19): ' \
	'(alice@host) JWT (part -2): ' '(alice@host) JWT (part 2x): ' \
	'(alice@host) JWT (part ): ' '(alice@host) JWT (part 99999999999999999999): ' \
	'(alice) JWT: ' '(a b@host) JWT: ' '(a(b@host) JWT: ' \
	"The authenticity of host 'host (10.0.0.1)' can't be established.
ED25519 key fingerprint is SHA256:x.
Are you sure you want to continue connecting (yes/no/[fingerprint])? " \
	"The authenticity (a@b) of this
JWT: " "(a@b
JWT: " "Enter passphrase for key '/home/alice/.ssh/id_ed25519': " \
	"Enter PIN for a@b's password: " "a b@host's password: " "'s password: " \
	"alice@host's password:" "alice's password: "; do
	refuses "$(echo "$prompt" | head -n 1)" "$prompt" 'not one for a token'
done
answer '(alice@host) JWT (part 4): '
[ "$status" = 1 ] && [ ! -s "$work/out" ]
report 'a part that the token does not have'
SSH_ASKPASS_PROMPT=confirm refuses 'a confirmation' '(alice@host) JWT: '
SSH_ASKPASS_PROMPT=none refuses 'a notice' '(alice@host) JWT: '
"$askpass" >"$work/out" 2>"$work/err"
[ $? = 1 ] && [ ! -s "$work/out" ]
report 'no prompt'
refuses 'a password is cut by ssh' "alice@host's password: " 'keyboard-interactive'

# ---- tokens ------------------------------------------------------------------

token 1023 >"$work/token"
gives 'a password of 1023 bytes' "alice@host's password: " "$(token 1023)"
gives 'the empty part behind 1023 bytes' '(alice@host) JWT (part 2): ' ''
printf 'a.b.c\r\n' >"$work/token"
gives 'an end of line' '(alice@host) JWT: ' a.b.c
printf 'a.b.c\nd\n' >"$work/token"
refuses 'two lines' '(alice@host) JWT: ' 'one line'
printf 'Bearer a.b.c\n' >"$work/token"
refuses 'blanks' '(alice@host) JWT: ' 'without blanks'
: >"$work/token"
refuses 'an empty file' '(alice@host) JWT: ' 'gave no token'
token 16385 >"$work/token"
refuses 'a token that is too long' '(alice@host) JWT: ' 'more than 16384'
token 100000 >"$work/token"
refuses 'a token that is far too long' '(alice@host) JWT: ' 'more than 16384'
printf 'a.b.c\n' >"$work/token"
for mode in 640 604; do
	chmod "$mode" "$work/token"
	for prompt in '(alice@host) JWT: ' "alice@host's password: "; do
		answer "$prompt"
		[ "$status" = 0 ] && [ "$(cat "$work/out")" = a.b.c ] &&
			grep -q "warning: others can read the token file $work/token" "$work/err"
		report "a file of mode $mode that others can read, $prompt"
	done
	token 1023 >"$work/token"
	gives 'one warning a login' '(alice@host) JWT (part 2): ' ''
	printf 'a.b.c\n' >"$work/token"
done
chmod 622 "$work/token"
gives 'a file that others can write to only' '(alice@host) JWT: ' a.b.c
exec 3<<-END
	a.b.c
END
SKEWGATE_TOKEN_FILE=/dev/fd/3 answer '(alice@host) JWT: '
[ "$(cat "$work/out")" = a.b.c ]
report 'a descriptor'
mkfifo -m 644 "$work/fifo"
printf 'a.b.c\n' >"$work/fifo" &
SKEWGATE_TOKEN_FILE=$work/fifo gives 'a pipe is read by one alone' '(alice@host) JWT: ' a.b.c
wait
rm "$work/token"
refuses 'no file' '(alice@host) JWT: ' 'cannot be opened'
SKEWGATE_TOKEN_COMMAND=true refuses 'both a file and a command' '(alice@host) JWT: ' 'set one of'
unset SKEWGATE_TOKEN_FILE
refuses 'neither' '(alice@host) JWT: ' 'set one of'

# ---- commands ----------------------------------------------------------------

export SKEWGATE_TOKEN_COMMAND='echo short.token.x'
gives 'a command' '(alice@host) JWT: ' short.token.x
export SKEWGATE_TOKEN_COMMAND='echo a.b.c; exit 3'
refuses 'a command that fails' '(alice@host) JWT: ' 'status 3'
export SKEWGATE_TOKEN_COMMAND='true'
refuses 'a command that says nothing' '(alice@host) JWT: ' 'gave no token'
export SKEWGATE_TOKEN_COMMAND='yes x | tr -d "\n"'
refuses 'a command that never ends' '(alice@host) JWT: ' 'more than 16384'

token 2500 >"$work/token"
export SKEWGATE_TOKEN_COMMAND="echo run >>$work/runs; cat $work/token"
unset XDG_RUNTIME_DIR
refuses 'a long token, and nowhere to wait' '(alice@host) JWT: ' 'XDG_RUNTIME_DIR'
mkdir -m 755 "$work/runtime"
export XDG_RUNTIME_DIR="$work/runtime"
refuses 'a place that others can read' '(alice@host) JWT: ' 'this user alone'
chmod 700 "$work/runtime"
: >"$work/runs"
: >"$work/runtime/skewgate-askpass-999999999-1"
: >"$work/runtime/skewgate-askpass-$$-1"
: >"$work/runtime/other"
gives 'the first part of what a command says' '(alice@host) JWT: ' "$first"
[ "$(stat -c %a "$work/runtime/skewgate-askpass-$$-"*)" = 600 ]
report 'waits in a file of its own, and older ones are gone'
gives 'the second part' '(alice@host) JWT (part 2): ' "$second"
gives 'the third part' '(alice@host) JWT (part 3): ' "$third"
[ "$(cat "$work/runs")" = run ]
report 'the command ran once'
[ "$(ls "$work/runtime")" = other ]
report 'nothing is left'
refuses 'a part of nothing' '(alice@host) JWT (part 2): ' 'no token waits'
answer '(alice@host) JWT: '
sh -c "'$askpass' '(alice@host) JWT (part 2): '; exit" >"$work/out" 2>"$work/err"
[ ! -s "$work/out" ]
report 'nor for another process'
echo "1..$number"
