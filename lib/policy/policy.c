/* SPDX-License-Identifier: MIT */
/* A host's policy, and what holds when it says nothing. */
#include "policy.h"

#include <string.h>

/* Clocks that are kept by NTP differ by far less; see pam_skewgate(8). */
#define DEFAULT_LEEWAY (5 * SG_SECOND)

/* A clock that is off by more is worth a warning long before the leeway ends.
 */
#define DEFAULT_CLOCK_ERROR SG_SECOND

int sg_policy_begin(struct sg_policy *policy)
{
	*policy = (struct sg_policy){
		.algorithms = sg_algorithms_asymmetric(),
		.user_claim = strdup("sub"),
		.window.leeway = DEFAULT_LEEWAY,
		.on_bad_clock = SG_BAD_CLOCK_WARN,
		.max_clock_error = DEFAULT_CLOCK_ERROR,
	};
	return policy->user_claim != NULL ? 0 : -1;
}

void sg_policy_free(struct sg_policy *policy)
{
	free(policy->issuer);
	sg_texts_free(&policy->audiences);
	free(policy->user_claim);
	free(policy->user_suffix);
	sg_texts_free(&policy->required);
	*policy = (struct sg_policy){0};
}
