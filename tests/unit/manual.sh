#!/bin/sh
# The manual page lists every code that a report can hold.
: "${srcdir:?}"

# These only ever become part of another error's sentence.
inner='command-failed command-missing command-timeout ntpd-not-stopped'

codes=$(cat "$srcdir"/lib/*/*.c "$srcdir"/tools/*.c | tr '\n' ' ' |
	grep -oE 'sg_(fail|warn)\([^";]*"[a-z-]+"' | grep -oE '"[a-z-]+"' |
	tr -d '"' | sort -u)

echo "1..$(echo "$codes" | wc -l)"
number=0
for code in $codes; do
	number=$((number + 1))
	case " $inner " in
	*" $code "*) echo "ok $number - $code is not for reports" && continue ;;
	esac
	if grep -Eq -- "(^| )$code([ ,.]|$)" "$srcdir/tools/skewgate.8"; then
		echo "ok $number - $code is in the manual page"
	else
		echo "not ok $number - $code is in the manual page"
	fi
done
