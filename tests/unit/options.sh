#!/bin/sh
# SPDX-License-Identifier: MIT
# The command line of skewgate: every command answers a bad word in the same way, and
# its help has the options that its manual page has.
: "${srcdir:?}"
skewgate=${builddir:?}/skewgate
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0

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

run() { # WORD...: what it says is in out and err, its exit status in $status
	status=0
	"$skewgate" "$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
}

# In words, and in JSON with --json before the bad word and behind it.
refuses() { # TEXT COMMAND WORD...
	text=$1 command=$2
	shift 2
	run "$command" "$@"
	[ "$status" = 2 ] && [ ! -s "$work/out" ] &&
		[ "$(cat "$work/err")" = "skewgate: $text [usage]
Try 'skewgate $command --help'." ]
	report "$command $*: $text"
	run "$command" --json "$@"
	[ "$status" = 2 ] && [ "$(jq -r '.error | "\(.code): \(.text)"' "$work/out")" = "usage: $text" ]
	report "$command --json $*"
	# Here it would be the value, or no option.
	case $text,$* in
	*'needs a value'*,* | *,'-- '*) return ;;
	esac
	run "$command" "$@" --json
	[ "$status" = 2 ] && [ "$(jq -r .error.text "$work/out")" = "$text" ]
	report "$command $* --json"
}

commands='setup revert query status explain skew'
for command in $commands; do
	refuses 'unknown option --bogus' "$command" --bogus
	refuses 'unknown option --bogus' "$command" --bogus=value
	refuses 'unknown option -x' "$command" -x
	refuses '--json takes no value' "$command" --json=yes
	# The first one is told.
	refuses 'unknown option --one' "$command" --one --two
done
for command in setup revert status; do
	refuses 'unexpected argument "word"' "$command" word
	refuses 'unexpected argument "--json"' "$command" -- --json
done
for command in explain skew; do
	refuses 'unexpected argument "two"' "$command" one two
done
# shellcheck disable=SC2046 # words
refuses 'unexpected argument "33"' query $(seq 32) 33
refuses '--server needs a value' setup --server
refuses '--config needs a value' setup --config
refuses '--config needs a value' revert --config
refuses '--max-offset needs a value' status --max-offset
refuses '--max-offset "x" is not a number of seconds' status --max-offset x
refuses '--user needs a value' explain --user
refuses '--step=fast is unknown; use auto, ntpdate or builtin' setup --step=fast
refuses '--wait "-1" is not a number of seconds from 0 to 86400' setup --wait -1
refuses '--wait "86401" is not a number of seconds from 0 to 86400' setup --wait 86401
refuses '--step needs to stop and start ntpd, which --root forbids' setup --step --root /
refuses '--step needs to stop and start ntpd, which --no-restart forbids' setup --step --no-restart

# What it cannot find is not replaced by what it would have read by itself.
mkdir "$work/gone"
(
	cd "$work/gone" && rmdir "$work/gone" &&
		run explain --config here.conf && [ "$status" = 3 ] &&
		grep -q -- '--config here.conf: the current directory cannot be found' "$work/err"
)
report 'explain --config in a directory that is gone'

# ---- help --------------------------------------------------------------------

# The options that the page has for a command: in its synopsis, or setup's list.
documented() { # COMMAND
	case $1 in
	setup) sed -n '/^\.Ss skewgate setup/,/^\.El/{/^\.It Fl/p;}' "$srcdir/tools/skewgate.8" ;;
	*) sed '/^\.Sh DESCRIPTION/q' "$srcdir/tools/skewgate.8" | sed -n "/^\.Cm $1\$/,/^\.Nm/p" ;;
	esac | grep -o 'Fl \\-[a-z-]*' | sed 's/Fl \\-/--/' | sort
}

for command in $commands; do
	run "$command" --help
	# Where this build has its config is longer than where a host has it.
	[ "$status" = 0 ] && [ ! -s "$work/err" ] && [ "$(wc -l <"$work/out")" -le 23 ] &&
		sed "s|${confdir:?}|/etc/skewgate|" "$work/out" | awk 'length > 80 { exit 1 }'
	report "$command --help fits a screen"
	grep -oE '^  --[a-z-]+' "$work/out" | tr -d ' ' | sort >"$work/helped"
	documented "$command" >"$work/err"
	[ -s "$work/helped" ] && cmp -s "$work/helped" "$work/err"
	report "$command --help has the options of skewgate(8)"
done
run --help
[ "$status" = 0 ] && for command in $commands; do
	grep -q "^  $command " "$work/out" || exit 1
done
report 'help has all commands'
run bogus
[ "$status" = 2 ] && grep -q '^skewgate: unknown command "bogus"$' "$work/err"
report 'an unknown command'
"$skewgate" setup --help >/dev/full 2>"$work/err"
[ $? = 1 ]
report 'help that cannot be written'
echo "1..$number"
