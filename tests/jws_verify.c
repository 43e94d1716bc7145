/* SPDX-License-Identifier: MIT */
/*
 * Verifies one compact JWS, for conformance suites: the signature layer alone,
 * with its whole table of algorithms, whatever the payload is.
 *
 * usage: jws_verify KEYFILE <TOKEN
 * Exit 0 and the payload on stdout, or 1 and the reason on stderr.
 */
#include "lib/jwt/jwt.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_KEY_FILE ((size_t)1024 * 1024)

static int fail(const struct sg_error *error)
{
	fprintf(stderr, "%s: %s\n", error->code, error->text);
	return 1;
}

static int verify(const char *key, size_t key_size, const char *token,
                  size_t size)
{
	struct sg_error error = {0};
	struct sg_jwks *keys = NULL;
	struct sg_jws jws = {0};
	int code = 0;

	if (sg_jwks_parse(key, key_size, &keys, &error) != 0 ||
	    sg_jws_parse(token, size, &jws, &error) != 0 ||
	    sg_jws_verify(&jws, keys, &error) != 0)
		code = fail(&error);
	else if (fwrite(jws.payload, 1, jws.payload_size, stdout) !=
	             jws.payload_size ||
	         fflush(stdout) != 0)
		code = 1;
	sg_jws_free(&jws);
	sg_jwks_free(keys);
	return code;
}

int main(int argc, char **argv)
{
	size_t key_size = 0;
	size_t size = 0;

	if (argc != 2) {
		fputs("usage: jws_verify KEYFILE <TOKEN\n", stderr);
		return 1;
	}
	sg_auto_close int file = open(argv[1], O_RDONLY | O_CLOEXEC);
	sg_auto_free char *key =
		file < 0 ? NULL : sg_read_all(file, MAX_KEY_FILE, &key_size);
	if (key == NULL) {
		perror(argv[1]);
		return 1;
	}
	/* More than a token may have, so that it is refused for that. */
	sg_auto_free char *token =
		sg_read_all(STDIN_FILENO, 4 * SG_MAX_TOKEN, &size);
	if (token == NULL) {
		perror("standard input");
		return 1;
	}
	/* The end of the line that a shell's here-string adds. */
	if (size > 0 && token[size - 1] == '\n')
		size--;
	if (size > 0 && token[size - 1] == '\r')
		size--;
	return verify(key, key_size, token, size);
}
