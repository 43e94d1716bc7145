/* SPDX-License-Identifier: MIT */
/*
 * The conversation that brings the token.
 *
 * The stock ssh client cuts whatever it is asked for at 1023 bytes, without a
 * word. So an answer of just that length is taken for a part, and the next one
 * is asked for. What is asked depends on the lengths of the answers alone: sshd
 * puts junk of the same length in their place when the user does not exist, and
 * what is asked must not tell who does. What was answered is looked at
 * afterwards.
 */
#include "module.h"

#include <security/pam_ext.h>
#include <string.h>

/* What the client's buffer holds (OpenSSH, readpass.c). */
#define PART_SIZE ((size_t)1023)

static const char advice[] =
	"The answer was cut at 1023 bytes, as the ssh client does: give the rest "
	"when asked, or let skewgate-askpass(1) answer.";

static void append(struct credential *credential, const char *reply,
                   size_t size)
{
	size_t room = SG_MAX_TOKEN + 1 - credential->size;
	size_t taken = size < room ? size : room;

	memcpy(credential->bytes + credential->size, reply, taken);
	credential->size += taken;
}

static char *ask(pam_handle_t *pamh, unsigned part)
{
	char *reply = NULL;
	int result = part == 1
	                 ? pam_prompt(pamh, PAM_PROMPT_ECHO_OFF, &reply, "JWT: ")
	                 : pam_prompt(pamh, PAM_PROMPT_ECHO_OFF, &reply,
	                              "JWT (part %u): ", part);

	return result == PAM_SUCCESS ? reply : NULL;
}

/* Asks for one part; true when there may be another. */
static bool ask_part(pam_handle_t *pamh, struct credential *credential)
{
	char *reply = ask(pamh, ++credential->parts);

	credential->came = sg_time_elapsed();
	if (reply == NULL)
		return false;
	size_t size = strlen(reply);
	append(credential, reply, size);
	explicit_bzero(reply, size);
	free(reply);
	return size == PART_SIZE && credential->size <= SG_MAX_TOKEN;
}

/* The password method gives its one answer to every prompt: the token ends
 * before its first part comes again. */
static void cut_repetition(struct credential *credential)
{
	for (size_t part = PART_SIZE; part + PART_SIZE <= credential->size;
	     part += PART_SIZE)
		if (memcmp(credential->bytes, credential->bytes + part, PART_SIZE) == 0)
			credential->size = part;
}

void credential_ask(pam_handle_t *pamh, bool silent,
                    struct credential *credential)
{
	while (ask_part(pamh, credential))
		if (credential->parts == 1 && !silent)
			pam_info(pamh, "%s", advice);
	cut_repetition(credential);
}

void credential_take(pam_handle_t *pamh, struct credential *credential)
{
	const void *token = NULL;

	if (pam_get_item(pamh, PAM_AUTHTOK, &token) != PAM_SUCCESS || token == NULL)
		return;
	credential->parts = 1;
	append(credential, token, strlen(token));
}

void credential_wipe(struct credential *credential)
{
	explicit_bzero(credential, sizeof *credential);
}
