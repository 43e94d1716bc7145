#!/bin/sh
# SPDX-License-Identifier: MIT
# The manual pages list every code and every reason that is told; the user-data that
# README.md offers is the file that virtual machines are started with.
: "${srcdir:?}"

# These only ever become part of another error's sentence.
inner='command-failed command-missing command-timeout ntpd-not-stopped'

# The codes that these files give.
codes_of() { # FILE...
	cat "$@" | tr '\n' ' ' |
		grep -oE '(sg_fail|warn)\([^";]*"[a-z_-]+"' | grep -oE '"[a-z_-]+"' |
		tr -d '"'
}

gate=$(
	{
		codes_of "$srcdir"/lib/base/*.c "$srcdir"/lib/jwt/*.c \
			"$srcdir"/lib/gate/*.c "$srcdir"/lib/pam/*.c "$srcdir"/lib/policy/*.c \
			"$srcdir"/lib/clock/clock.c
		sed -n 's/^\t\[SG_[A-Z_]*\] = "\([a-z_]*\)",/\1/p' "$srcdir"/lib/jwt/reason.c
	} | grep -vxE 'bad-time|file-(changed|not-synced|not-replaceable|unwritable)' | sort -u
)
time=$(codes_of "$srcdir"/lib/base/error.c "$srcdir"/lib/base/file.c \
	"$srcdir"/lib/base/time.c "$srcdir"/lib/ntpconf/*.c \
	"$srcdir"/lib/clock/*.c "$srcdir"/lib/daemon/*.c \
	"$srcdir"/lib/process/*.c "$srcdir"/lib/sntp/*.c "$srcdir"/tools/*.c | grep -v '^record-[ms]' | sort -u)
options=$(sed -n 's/^\t{"\([a-z_]*\)", [A-Z_]*,.*/\1/p' "$srcdir"/lib/policy/options.c)

# shellcheck disable=SC2086 # lists of words
set -- $gate $time $options
echo "1..$(($# + 1))"
number=1
# shellcheck disable=SC2016 # backquotes of Markdown
if sed -n '/^```yaml$/,/^```$/{/^```/!p}' "$srcdir/README.md" |
	cmp -s - "$srcdir/packaging/cloud-init/time.yaml"; then
	echo 'ok 1 - README.md has packaging/cloud-init/time.yaml'
else
	echo 'not ok 1 - README.md has packaging/cloud-init/time.yaml'
fi

check() { # PAGE WORD...
	page=$1
	shift
	for word in "$@"; do
		number=$((number + 1))
		case " $inner " in
		*" $word "*) echo "ok $number - $word is not for reports" && continue ;;
		esac
		if grep -Eq -- "(^| )$word([ ,.]|$)" "$srcdir/$page"; then
			echo "ok $number - $word is in $page"
		else
			echo "not ok $number - $word is in $page"
		fi
	done
}

# shellcheck disable=SC2086
{
	check lib/pam/pam_skewgate.8 $gate
	check tools/skewgate.8 $time
	check lib/pam/skewgate.conf.5 $options
}
