# SPDX-License-Identifier: MIT
"""What the tests of the gate share: keys, tokens, and a host to judge them.

Honest tokens are made by PyJWT, the others by hand on top of the cryptography
package: nothing here is of skewgate's own.
"""
import base64
import json
import os
import shutil
import subprocess
import tempfile

import jwt
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import (ec, ed448, ed25519,
                                                       padding, rsa, utils)

NOW = 2000000000
ISSUER = "https://issuer.example"
MICRO = 1000000

HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}


def encode(data):
    """base64url as RFC 7515 has it."""
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def integer(value, size):
    return encode(value.to_bytes(size, "big"))


class Key:
    """A key pair: it signs any bytes, and tells its public JWK."""

    def __init__(self, algorithm, kid=None, private=None, rsa_bits=2048):
        self.algorithm, self.kid = algorithm, kid
        self.private = private or self.generate(algorithm, rsa_bits)
        self.jwk = self.public_members()
        if kid is not None:
            self.jwk["kid"] = kid

    @staticmethod
    def generate(algorithm, rsa_bits):
        if algorithm == "EdDSA":
            return ed25519.Ed25519PrivateKey.generate()
        if algorithm == "Ed448":
            return ed448.Ed448PrivateKey.generate()
        if algorithm.startswith("HS"):
            return os.urandom(64)
        if algorithm.startswith("ES"):
            curve = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1,
                     "ES512": ec.SECP521R1}[algorithm]
            return ec.generate_private_key(curve())
        return rsa.generate_private_key(65537, rsa_bits)

    def public_members(self):
        if isinstance(self.private, bytes):
            return {"kty": "oct", "k": encode(self.private)}
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            return {"kty": "RSA", "n": integer(numbers.n, public.key_size // 8),
                    "e": "AQAB" if numbers.e == 65537
                    else integer(numbers.e, 1)}
        if isinstance(public, ec.EllipticCurvePublicKey):
            numbers = public.public_numbers()
            size = (public.key_size + 7) // 8
            return {"kty": "EC", "crv": f"P-{public.key_size}",
                    "x": integer(numbers.x, size),
                    "y": integer(numbers.y, size)}
        raw = public.public_bytes(serialization.Encoding.Raw,
                                  serialization.PublicFormat.Raw)
        return {"kty": "OKP", "x": encode(raw),
                "crv": "Ed25519" if len(raw) == 32 else "Ed448"}

    def pem(self):
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM,
            serialization.PublicFormat.SubjectPublicKeyInfo)

    def private_pem(self):
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption())

    def sign(self, data, algorithm=None):
        algorithm = algorithm or self.algorithm
        if algorithm in ("EdDSA", "Ed448"):
            return self.private.sign(data)
        digest = HASHES[algorithm[2:]]()
        if algorithm.startswith("HS"):
            mac = hmac.HMAC(self.private, digest)
            mac.update(data)
            return mac.finalize()
        if algorithm.startswith("RS"):
            return self.private.sign(data, padding.PKCS1v15(), digest)
        if algorithm.startswith("PS"):
            return self.private.sign(
                data, padding.PSS(padding.MGF1(digest), digest.digest_size),
                digest)
        size = (self.private.key_size + 7) // 8
        r, s = utils.decode_dss_signature(
            self.private.sign(data, ec.ECDSA(digest)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def header(self):
        name = "EdDSA" if self.algorithm == "Ed448" else self.algorithm
        header = {"alg": name, "typ": "JWT"}
        if self.kid is not None:
            header["kid"] = self.kid
        return header

    def token(self, claims, **header):
        """An honest token, by PyJWT."""
        header = dict(self.header(), **header)
        return jwt.encode(claims, self.private, header.pop("alg"),
                          headers=header)

    def forge(self, payload, header=None, algorithm=None, sign=None):
        """A token of any bytes; `sign` makes another signature."""
        header = self.header() if header is None else header
        text = ".".join(
            encode(part if isinstance(part, (str, bytes))
                   else json.dumps(part)) for part in (header, payload))
        sign = sign or (lambda data: self.sign(data, algorithm))
        return text + "." + encode(sign(text.encode()))


def claims(**changes):
    """What a good token says at NOW; a claim that is None is left out."""
    made = {"iss": ISSUER, "sub": "alice", "iat": NOW - 10, "nbf": NOW - 10,
            "exp": NOW + 290, "jti": "t-1"}
    made.update(changes)
    return {name: value for name, value in made.items() if value is not None}


# Where the build keeps its state; below it, in a folder of the test's own.
STATE = os.environ.get("statedir", "/usr/local/var/lib/skewgate")
RECORD = "/run/skewgate/clock.json"


class Host:
    """A folder with a config, keys, and PAM services; and a machine whose time,
    kernel, /run and state are faked for those who log in."""

    def __init__(self, build=None):
        self.build = build or os.environ["builddir"]
        self.module = os.path.join(self.build, ".libs/pam_skewgate.so")
        self.fakes = os.path.join(self.build, ".libs/fakes.so")
        self.folder = tempfile.TemporaryDirectory(prefix="skewgate-")
        self.path = self.folder.name
        os.chmod(self.path, 0o755)
        self.reset()

    def reset(self):
        """A machine without a record, whose kernel says all is well."""
        self.kernel = "400 100"
        self.boot = 5000 * MICRO
        shutil.rmtree(self.path + "/root", ignore_errors=True)
        for name in (STATE, "/run/skewgate"):
            os.makedirs(f"{self.path}/root{name}", mode=0o755)

    def machine(self, now):
        """The environment in which programs see it."""
        made = dict(os.environ, LD_PRELOAD=self.fakes, FAKE_KERNEL=self.kernel,
                    FAKE_ROOT=self.path + "/root",
                    FAKE_PATHS=f"/run/skewgate:{STATE}",
                    ASAN_OPTIONS="verify_asan_link_order=0")
        if now is not None:
            made.update(FAKE_NOW=str(round(now * MICRO)),
                        FAKE_BOOTTIME=str(self.boot), FAKE_ELAPSED="7000123")
        return made

    def record(self, offset=0.0, bound=0.0004, age=10, stepped=0.0, mode=0o644,
               **changes):
        """What status --record left: seconds; `stepped` since then."""
        record = {"server": "169.254.169.123", "offset_us": round(offset * MICRO),
                  "bound_us": round(bound * MICRO), "daemon_gone": False,
                  "boot_id": open("/proc/sys/kernel/random/boot_id").read()
                  .strip(), "boottime_us": self.boot - age * MICRO,
                  "realtime_minus_boottime_us":
                  round((NOW - stepped) * MICRO) - self.boot}
        record.update(changes)
        self.write("root" + RECORD, json.dumps(record), mode)

    def write(self, name, content, mode=0o600):
        path = os.path.join(self.path, name)
        if isinstance(content, str):
            content = content.encode()
        if os.path.lexists(path):
            os.unlink(path)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, mode)
        return path

    def configure(self, keys, options=""):
        """Keys is a list of Key or JWK, or the text of the file."""
        if isinstance(keys, list):
            keys = json.dumps({"keys": [
                key.jwk if isinstance(key, Key) else key for key in keys]})
        self.write("keys", keys)
        self.write("config", f"keys = {self.path}/keys\n"
                   f"issuer = {ISSUER}\n{options}\n")

    def service(self, text):
        self.write("service", text.replace("MODULE", self.module)
                   .replace("HOST", self.path), 0o644)

    def explain(self, token, user="alice", at=NOW, extra=("--json",)):
        """The verdict of `skewgate explain` as a dictionary, and its code."""
        command = [os.path.join(self.build, "skewgate"), "explain",
                   "--config", self.path + "/config", "--at", str(at), *extra]
        if user is not None:
            command += ["--user", user]
        done = subprocess.run(command, input=token if isinstance(token, bytes)
                              else token.encode(), capture_output=True,
                              timeout=60, env=self.machine(float(at)))
        text = done.stdout.decode()
        if "--json" in extra:
            return json.loads(text) if text else {}, done.returncode
        return text, done.returncode

    def login_command(self, answers, calls=("authenticate",), user="alice",
                      options=(), prefix=()):
        command = [*prefix, os.path.join(self.build, "tests/pam/login"),
                   "-u", user, *options]
        for number, answer in enumerate(answers):
            command += ["-a", self.write(f"answer{number}", answer, 0o644)]
        return command + [self.path, "service", *calls]

    def login(self, answers, calls=("authenticate",), user="alice", now=NOW,
              options=(), prefix=()):
        """The lines that tests/pam/login tells."""
        done = subprocess.run(
            self.login_command(answers, calls, user, options, prefix),
            capture_output=True, timeout=300, env=self.machine(now))
        if done.returncode not in (0, 1):
            raise RuntimeError(done)
        return done.stdout.decode(errors="replace").splitlines(), done


class Report:
    """TAP."""

    def __init__(self):
        self.number = 0

    def check(self, title, met, found=""):
        self.number += 1
        print(f"{'ok' if met else 'not ok'} {self.number} - {title}")
        if not met:
            for line in str(found).splitlines():
                print(f"# {line}")

    def skip(self, title, why):
        self.number += 1
        print(f"ok {self.number} - {title} # SKIP {why}")

    def end(self):
        print(f"1..{self.number}")
