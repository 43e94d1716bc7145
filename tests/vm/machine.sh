# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A virtual machine: started with user-data and a hardware clock, asked things, and
# turned off. Its disk is a copy of the image's, and stays when it is off.
#
# What it sends to 169.254.169.123 arrives at this network namespace's own 127.0.0.1,
# and nothing gets any further.

: "${image:?}" "${work:?}" "${builddir:?}"

# Seconds that a machine may take to be provisioned. Software emulation is slow, and
# several share two processors.
boot_limit=600

declare -A port=() process=()

key=$work/key
user_key_options=(-i "$key" -o IdentitiesOnly=yes -o PreferredAuthentications=publickey
	-o LogLevel=ERROR)
ssh_options=(-F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null
	-o ConnectTimeout=20)

# Gives it a disk that has never been started from.
new_disk() { # NAME
	port[$1]=${port[$1]-$((2201 + ${#port[@]}))}
	cp --sparse=always "$image/disk" "$image/$1.disk"
}

# Starts it: for cloud-init, a new instance id makes it a new instance.
turn_on() { # NAME SECONDS-AHEAD INSTANCE-ID USER-DATA [QEMU OPTION...]
	local name=$1 ahead=$2 seed=$work/$1.seed
	mkdir -p "$seed"
	cp "$4" "$seed/user-data"
	cat >"$seed/meta-data" <<-END
		instance-id: $3
		local-hostname: $name
		public-keys: ["$(cat "$key.pub")"]
	END
	shift 4
	xorriso -as mkisofs -quiet -rock -volid cidata -output "$seed.iso" "$seed" 2>"$seed.log" || {
		cat "$seed.log"
		return 1
	}
	: >"$work/$name.console"
	# The hardware clock counts whole seconds: begin with one.
	sleep "$(printf '0.%09d' $((999999999 - 10#$(date +%N))))"
	qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 1 -m 640 \
		-nodefaults -no-reboot -display none -monitor none \
		-kernel "$image/kernel" -initrd "$image/initrd" \
		-append 'root=/dev/vda ro console=ttyS0 net.ifnames=0' \
		-rtc "base=$(date -u -d "$ahead seconds" +%Y-%m-%dT%H:%M:%S)" \
		-drive "file=$image/$name.disk,if=virtio,format=raw,cache=unsafe" \
		-drive "file=$seed.iso,if=virtio,format=raw,readonly=on" \
		-netdev "user,id=net,net=169.254.169.0/24,host=169.254.169.123,hostfwd=tcp:127.0.0.1:${port[$name]}-:22" \
		-device virtio-net-pci,netdev=net -device virtio-rng-pci \
		-serial "file:$work/$name.console" "$@" \
		</dev/null >"$work/$name.qemu" 2>&1 &
	process[$name]=$!
}

# Waits until cloud-init has ended, well or not. It says so on the console; asking by
# ssh would cost the machine more than what it is waited for.
await_provisioned() { # NAME
	local name=$1 start=$SECONDS
	while [ $((SECONDS - start)) -lt "$boot_limit" ] && kill -0 "${process[$name]}" 2>/dev/null; do
		if grep -q 'Cloud-init v.* finished at' "$work/$name.console"; then
			on "$name" 'cloud-init status --wait >/dev/null || true'
			return 0
		fi
		sleep 1
	done
	echo "$name: cloud-init has not ended after $((SECONDS - start)) s; the end of its console:"
	cat "$work/$name.qemu"
	tail -n 60 "$work/$name.console"
	return 1
}

# Runs a command there, as root.
on() { # NAME COMMAND
	timeout 150 ssh "${ssh_options[@]}" "${user_key_options[@]}" -p "${port[$1]}" \
		-o ControlMaster=auto -o ControlPath="$work/control-%p" -o ControlPersist=600 \
		debian@127.0.0.1 "sudo bash -euo pipefail -c $(printf %q "$2")" </dev/null
}

# By key, as the image's own user: what has to work whatever happens.
login_by_key() { # NAME
	[ "$(timeout 60 ssh "${ssh_options[@]}" "${user_key_options[@]}" -p "${port[$1]}" \
		debian@127.0.0.1 id -un </dev/null)" = debian ]
}

# By token, as alice.
login_by_token() { # NAME TOKEN-FILE COMMAND
	env SSH_ASKPASS="$builddir/skewgate-askpass" SSH_ASKPASS_REQUIRE=force \
		SKEWGATE_TOKEN_FILE="$2" timeout 150 ssh "${ssh_options[@]}" -p "${port[$1]}" \
		-o PreferredAuthentications=keyboard-interactive -o PubkeyAuthentication=no \
		-o NumberOfPasswordPrompts=1 alice@127.0.0.1 "$3" </dev/null
}

turn_off() { # NAME
	local i
	on "$1" poweroff || true
	for ((i = 0; i < 600; i++)); do
		kill -0 "${process[$1]}" 2>/dev/null || return 0
		sleep 0.1
	done
	echo "$1 does not turn off"
	kill "${process[$1]}"
	return 1
}
