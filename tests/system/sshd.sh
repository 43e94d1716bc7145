# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the tests read these
# A host with sshd and the module, and a client: what a login test can do to them.
# No socket is between them: sshd -i is at the other end of a ProxyCommand.

: "${srcdir:?}" "${builddir:?}"
conf=/etc/skewgate/skewgate.conf
confdir=${confdir:-/usr/local/etc/skewgate}
statedir=${statedir:-/usr/local/var/lib/skewgate}
faketime=$(echo /usr/lib/*/faketime/libfaketime.so.1)

# ---- the host ----------------------------------------------------------------

# A /dev of this laboratory's own, where a syslog daemon can listen.
private_dev() {
	local node
	mkdir /tmp/dev
	mount -t tmpfs -o mode=755 dev /tmp/dev
	for node in null zero full random urandom tty; do
		touch "/tmp/dev/$node"
		mount --bind "/dev/$node" "/tmp/dev/$node"
	done
	ln -s /proc/self/fd /tmp/dev/fd
	mount --move /tmp/dev /dev
	"$srcdir/tests/system/syslogd" /tmp/log &
	await test -S /dev/log
}

add_user() { # NAME
	local id=$((2000 + $(wc -l </etc/passwd)))
	echo "$1:x:$id:$id::/home/$1:/bin/sh" >>/etc/passwd
	echo "$1:x:$id:" >>/etc/group
	echo "$1:*:19000:0:99999:7:::" >>/etc/shadow
	mkdir -p "/home/$1/.ssh"
	cat /tmp/user_key.pub >"/home/$1/.ssh/authorized_keys"
	chmod 755 "/home/$1"
	# Not what may be mounted below: the sources, in the home of somebody of this name.
	chown "$id:$id" "/home/$1" "/home/$1/.ssh"
}

new_issuer() { # FILE: a private key
	openssl ecparam -name prime256v1 -genkey -noout -out "$1"
}

# Puts the issuer's public key where the module finds it, as an administrator
# would: written beside, and renamed.
publish() { # FILE
	PYTHONPATH=$srcdir/tests/pam /usr/bin/python3 - "$1" >/etc/skewgate/jwks.json.new <<-'END'
		import json, sys
		from cryptography.hazmat.primitives.serialization import load_pem_private_key
		from tokens import Key
		private = load_pem_private_key(open(sys.argv[1], "rb").read(), None)
		print(json.dumps({"keys": [Key("ES256", "k1", private).jwk]}))
	END
	mv /etc/skewgate/jwks.json.new /etc/skewgate/jwks.json
}

issue() {
	/usr/bin/python3 "$srcdir/tests/system/issue" /tmp/issuer.pem "$@" >/tmp/token
}

# Debian's stack with the lines of pam_skewgate(8).
edit_stack() {
	sed -i \
		-e 's/^@include common-auth$/auth [success=done ignore=ignore default=die] pam_skewgate.so/' \
		-e 's/^@include common-account$/account required pam_skewgate.so\n&/' \
		-e '0,/^session/s/^session/session optional pam_skewgate.so\n&/' /etc/pam.d/sshd
	[ "$(grep -c pam_skewgate.so /etc/pam.d/sshd)" = 3 ] || fail 'the stack is not as expected'
}

# A host with users and a syslog daemon, and sshd as Debian has it.
bare_host() {
	private_dev
	grep -q '^sshd:' /etc/passwd ||
		echo 'sshd:x:991:65534::/run/sshd:/usr/sbin/nologin' >>/etc/passwd
	mkdir -p /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f /tmp/host_key
	ssh-keygen -q -t ed25519 -N '' -f /tmp/user_key
	add_user alice
	add_user bob
}

# The same with the module, set up for the issuer whose key is /tmp/issuer.pem.
make_host() {
	bare_host
	cat >/tmp/sshd_config <<-'END'
		HostKey /tmp/host_key
		UsePAM yes
		KbdInteractiveAuthentication yes
		PasswordAuthentication yes
		PrintMotd no
		LogLevel VERBOSE
	END
	install -D -m 644 "$builddir/.libs/pam_skewgate.so" \
		"$(dirname "$(find /lib /usr/lib -name pam_unix.so -print -quit)")/pam_skewgate.so"
	# Where the build looks for its config, and keeps its state.
	mkdir -p /etc/skewgate "$(dirname "$confdir")" "$(dirname "$statedir")"
	[ "$confdir" = /etc/skewgate ] || ln -s /etc/skewgate "$confdir"
	echo 'issuer = https://issuer.example' >"$conf"
	new_issuer /tmp/issuer.pem
	publish /tmp/issuer.pem
	edit_stack
}

# ---- the client --------------------------------------------------------------

# Where skewgate-askpass finds the token.
token_source=(SKEWGATE_TOKEN_FILE=/tmp/token)

# Logs in and runs `id -un`; the exit code is in $code, what came in /tmp/out and
# /tmp/err. $method is the way, $user the name, $askpass what answers.
login() {
	code=0
	: >/tmp/prompts
	env SSH_ASKPASS="${askpass:-$builddir/skewgate-askpass}" SSH_ASKPASS_REQUIRE=force \
		"${token_source[@]}" timeout 60 ssh -F none \
		-o ProxyCommand="${clock-} /usr/sbin/sshd -i -f ${server_config-/tmp/sshd_config} -E /tmp/sshd.log" \
		-o UserKnownHostsFile=/tmp/known -o StrictHostKeyChecking=no \
		-o PreferredAuthentications="${method:-keyboard-interactive}" \
		-o PubkeyAuthentication="${with_key:-no}" -i /tmp/user_key -o IdentitiesOnly=yes \
		-o NumberOfPasswordPrompts=1 -o LogLevel=INFO \
		-l "${user:-alice}" host id -un </dev/null >/tmp/out 2>/tmp/err || code=$?
}

expect_login() {
	: >/tmp/log
	login
	[ "$code $(cat /tmp/out)" = "0 ${user:-alice}" ] || fail_login 'no login'
}

expect_refusal() { # REASON
	: >/tmp/log
	login
	[ "$code" != 0 ] || fail_login 'a login'
	await_log "decision=refuse reason=$1 "
}

fail_login() {
	sed 's|^|client: |' /tmp/err
	sed 's/^/syslog: /' /tmp/log
	[ ! -e /tmp/sshd.log ] || tail -n 20 /tmp/sshd.log | sed 's/^/sshd: /'
	fail "$1"
}

await_log() { # PATTERN
	local i
	for ((i = 0; i < 50; i++)); do
		grep -q -- "$1" /tmp/log && return 0
		sleep 0.1
	done
	fail_login "the log does not say: $1"
}
