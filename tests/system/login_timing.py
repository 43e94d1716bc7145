#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# What tests/system/login-timing runs in the test lab: known and unknown user in
# random order, each in a connection of its own. The answer is sent a while after the
# prompt: sshd lets each request take a time of its own, which would hide the rest.
#
# usage: login_timing.py [PAIRS [CASE...]]
import gc
import json
import logging
import os
import random
import socket
import statistics
import subprocess
import sys
import time

import paramiko
from tokens import Key, claims

PAUSE = 0.04
KNOWN, UNKNOWN = "alice", "alicx"  # as long as each other
KEYS = "/etc/skewgate/jwks.json"
STACK = "/etc/pam.d/sshd"

es256, es512, rsa = Key("ES256", "k1"), Key("ES512", "k2"), Key("RS256", "k3")
attacker = {key: Key(key.algorithm, key.kid) for key in (es256, es512, rsa)}
now = int(time.time())
times = {"iat": now - 10, "nbf": now - 10, "exp": now + 36000}


def forged(key, lists=0, members=0):
    """A token with another signature; its header has so many empty lists, and so
    many members that nobody knows."""
    header = key.header()
    if lists:
        header["x"] = [[]] * lists
    header.update((f"member{number}", number) for number in range(members))
    return attacker[key].forge(claims(**times), json.dumps(
        header, separators=(",", ":")))


# What is before us in the stack, if anything. The second takes our place: what is left
# of a difference there is sshd's own.
DELAY = "auth optional pam_faildelay.so delay=300000\n"
OTHER = f"auth [default=die] {os.environ['builddir']}/.libs/only_wait.so\n"

# name: the keys of the host, the token, and what is before us
CASES = {
    "ordinary": ([es256], forged(es256), ""),
    "lists": ([es256], forged(es256, lists=3600), ""),
    "members": ([es256], forged(es256, members=700), ""),
    "header-at-cap": ([es256], forged(es256, lists=1015), ""),
    "cheap-key": ([es512, rsa], forged(rsa), ""),
    "dear-key": ([rsa, es512], forged(es512), ""),
    "faildelay": ([es256], forged(es256, lists=3600), DELAY),
    "only-wait": ([es256], forged(es256), OTHER),
}


def connect():
    ours, theirs = socket.socketpair()
    server = subprocess.Popen(
        ["/usr/sbin/sshd", "-i", "-f", "/tmp/sshd_config", "-E",
         "/tmp/sshd.log"], stdin=theirs, stdout=theirs)
    theirs.close()
    transport = paramiko.Transport(ours)
    transport.start_client(timeout=60)
    return server, transport


def measure(user, token):
    """Seconds from the answer to the refusal."""
    sent = []

    def answer(title, instructions, prompts):
        if not prompts:
            return []
        time.sleep(PAUSE)
        sent.append(time.perf_counter())
        return [token] * len(prompts)

    server, transport = connect()
    gc.disable()
    try:
        transport.auth_interactive(user, answer)
        raise RuntimeError("a forged token was accepted")
    except paramiko.AuthenticationException:
        ended = time.perf_counter()
    finally:
        gc.enable()
        transport.close()
        server.wait(60)
    if len(sent) != 1:
        raise RuntimeError(f"{len(sent)} prompts, and not one")
    return ended - sent[0]


def prepare(keys, stack):
    with open(KEYS + ".new", "w") as file:
        json.dump({"keys": [key.jwk for key in keys]}, file)
    os.rename(KEYS + ".new", KEYS)
    with open(STACK, "w") as file:
        file.write(stack)


def probability(known, unknown):
    """That one of `known` is longer than one of `unknown`."""
    wins = sum((one > other) + (one == other) / 2
               for one in known for other in unknown)
    return wins / (len(known) * len(unknown))


def main():
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    names = sys.argv[2:] or list(CASES)
    stack = open(STACK).read()
    # Two standard deviations of a probability that is 0.5 in truth.
    chance = 2 * ((2 * pairs + 1) / (12 * pairs * pairs)) ** 0.5
    print(f"{pairs} pairs; chance alone: 0.5 +- {chance:.3f}")
    print(f"{'case':14} {'header':>6} {'known, median':>14} "
          f"{'unknown':>10}  P(known > unknown)")
    for name in names:
        keys, token, before = CASES[name]
        prepare(keys, before + stack)
        found = {KNOWN: [], UNKNOWN: []}
        for number in range(-1, pairs):
            users = [KNOWN, UNKNOWN]
            random.shuffle(users)
            for user in users:
                took = measure(user, token)
                if number >= 0:  # the first pair warms up
                    found[user].append(took)
        known, unknown = found[KNOWN], found[UNKNOWN]
        print(f"{name:14} {len(token.split('.')[0]):6} "
              f"{statistics.median(known) * 1e3:11.3f} ms "
              f"{statistics.median(unknown) * 1e3:7.3f} ms  "
              f"{probability(known, unknown):.3f}", flush=True)
    refused = subprocess.run(
        ["grep", "-c", "decision=refuse", "/tmp/log"], capture_output=True)
    print(f"decisions in the log: {refused.stdout.decode().strip()}")


main()
