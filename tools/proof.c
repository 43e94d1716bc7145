/* SPDX-License-Identifier: MIT */
/*
 * The proof: what the servers say, and whether ntpd really follows one of them.
 *
 * A `*` in ntpq's table proves little: an ntpd that may not set the clock shows
 * it too. So our own measurement has to agree.
 */
#include "tools.h"

#include <stdio.h>
#include <string.h>

/* ntpsec's ntpq is a Python program: asking more often would keep a small host
 * busy while it boots. */
#define TEST_INTERVAL (2 * SG_SECOND)

/* How often names are resolved again while ntpd follows an unknown address. */
#define LOOKUP_INTERVAL (5 * SG_SECOND)

/* ---- what the servers say ----------------------------------------------- */

/* Whether the offset lies in the interval that a usable answer stands for. */
static bool covers(const struct sg_sntp_answer *answer, sg_usec offset)
{
	return answer->usable && answer->offset - answer->root_distance <= offset &&
	       offset <= answer->offset + answer->root_distance;
}

struct consensus answers_judge(const struct sg_sntp_answer *answers,
                               size_t count)
{
	struct consensus found = {0};
	sg_usec point = 0;
	size_t usable = 0;
	size_t most = 0;

	/* Where most intervals meet, one of them begins. */
	for (size_t i = 0; i < count; i++) {
		sg_usec begin = answers[i].offset - answers[i].root_distance;
		size_t met = 0;

		for (size_t k = 0; k < count; k++)
			met += covers(&answers[k], begin);
		usable += answers[i].usable;
		if (answers[i].usable && met > most) {
			most = met;
			point = begin;
		}
	}
	found.majority = most * 2 > usable;
	for (size_t i = 0; i < count; i++) {
		if (!answers[i].usable)
			continue;
		if (!covers(&answers[i], point))
			found.dissenter = &answers[i];
		else if (found.best == NULL ||
		         answers[i].root_distance < found.best->root_distance)
			found.best = &answers[i];
	}
	return found;
}

int answers_warn(const struct consensus *found, struct report *report)
{
	if (found->dissenter == NULL)
		return 0;
	return sg_warn(
		&report->warnings, "servers-disagree",
		"%s says that this host is off by %+.6f s, %s says %+.6f s, and both "
		"cannot be right; find out which is wrong and leave it out",
		found->best->address, (double)found->best->offset / 1e6,
		found->dissenter->address, (double)found->dissenter->offset / 1e6);
}

static struct consensus consensus_of(const struct proof *proof)
{
	return answers_judge(proof->answers, proof->answer_count);
}

static bool is_known(const struct proof *proof, const char *address)
{
	for (size_t i = 0; i < proof->known.count; i++)
		if (sg_ntpconf_same_server(proof->known.items[i], address))
			return true;
	return false;
}

/* Notes the addresses of answers. Without memory one is asked for again. */
static void note_addresses(struct proof *proof,
                           const struct sg_sntp_answer *answers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!is_known(proof, answers[i].address))
			(void)sg_texts_add(&proof->known, "%s", answers[i].address);
	proof->looked_up = sg_time_elapsed();
}

static void ask(struct proof *proof)
{
	proof->answer_count = sg_sntp_query(proof->servers, proof->server_count,
	                                    &sg_sntp_defaults, proof->answers);
	proof->asked = true;
	note_addresses(proof, proof->answers, proof->answer_count);
}

int proof_preflight(struct proof *proof, struct report *report,
                    struct sg_error *error)
{
	int failed = 0;

	ask(proof);
	struct consensus found = consensus_of(proof);
	if (found.best == NULL)
		return sg_fail(
			error, "no-usable-answer",
			"no server gave a usable answer, nothing was changed: %.800s",
			proof->answers[0].error.text);
	for (size_t i = 0; i < proof->answer_count; i++)
		if (!proof->answers[i].usable)
			failed |=
				sg_warn(&report->warnings, "server-unusable", "%s: %.800s",
			            proof->answers[i].server, proof->answers[i].error.text);
	failed |= answers_warn(&found, report);
	report->before_known = true;
	report->offset_before = found.best->offset;
	report_step(report, "%s says this host is off by %+.6f s",
	            found.best->address, (double)found.best->offset / 1e6);
	return failed == 0 ? 0 : sg_fail_memory(error);
}

int proof_may_step(const struct proof *proof, struct sg_error *error)
{
	struct consensus found = consensus_of(proof);

	if (found.best == NULL)
		return sg_fail(error, "step-failed",
		               "no server gave a usable time to step to: %.800s",
		               proof->answers[0].error.text);
	if (!found.majority)
		return sg_fail(error, "step-failed",
		               "the servers disagree about the time and no majority "
		               "of them agrees, so that there is none to step to");
	return 0;
}

const char *proof_address(const struct proof *proof)
{
	struct consensus found = consensus_of(proof);

	return found.best != NULL ? found.best->address : proof->servers[0];
}

/* Measures the offset to one address; false: it gave no usable answer. */
static bool measure(struct proof *proof, const char *address, sg_usec *offset)
{
	struct sg_sntp_answer answers[SG_MAX_ADDRESSES];

	if (sg_sntp_query(&address, 1, &sg_sntp_defaults, answers) < 1 ||
	    !answers[0].usable)
		return false;
	proof->last = answers[0];
	proof->last.server = NULL; /* is not ours to keep */
	*offset = answers[0].offset;
	return true;
}

bool proof_measure(struct proof *proof, sg_usec *offset)
{
	return measure(proof, proof_address(proof), offset);
}

void proof_record(const struct proof *proof, struct report *report)
{
	const struct sg_measurement measurement = {
		.server = proof->last.address,
		.offset = proof->last.offset,
		.bound = proof->last.root_distance,
	};
	struct sg_error error = {0};

	if (proof->last.usable &&
	    sg_clock_store(SG_CLOCK_RECORD, &measurement, &error) != 0)
		(void)sg_warn(&report->warnings, "record-not-written", "%s",
		              error.text);
}

/* ---- what ntpd says ----------------------------------------------------- */

/*
 * Whether `address` is one of the servers'. A name has other addresses by the
 * time that ntpd resolves it: time.aws.com changes them every few minutes.
 */
static bool is_ours(struct proof *proof, const char *address)
{
	struct sg_sntp_answer answers[SG_MAX_ADDRESSES];

	if (!proof->asked)
		ask(proof);
	if (is_known(proof, address))
		return true;
	if (sg_time_elapsed() - proof->looked_up < LOOKUP_INTERVAL)
		return false;
	size_t count = sg_sntp_query(proof->servers, proof->server_count,
	                             &sg_sntp_defaults, answers);
	note_addresses(proof, answers, count);
	return is_known(proof, address);
}

bool proof_has_server(struct proof *proof)
{
	struct sg_ntpq ntpq = {0};
	struct sg_error ignored = {0};
	bool found = false;

	if (sg_ntpq_ask(&stop_signal, &ntpq, &ignored) == 0)
		for (size_t i = 0; i < ntpq.sources.count && !found; i++)
			found = is_ours(proof, ntpq.sources.items[i]);
	sg_texts_free(&ntpq.sources);
	return found;
}

bool proof_follows_other(struct proof *proof, char other[INET6_ADDRSTRLEN])
{
	struct sg_ntpq ntpq = {0};
	struct sg_error ignored = {0};

	bool follows = sg_ntpq_ask(&stop_signal, &ntpq, &ignored) == 0 &&
	               sg_ntpq_judge(&ntpq) == SG_NTPQ_FOLLOWS &&
	               (ntpq.clock || !is_ours(proof, ntpq.selected));
	snprintf(other, INET6_ADDRSTRLEN, "%s", ntpq.selected);
	sg_texts_free(&ntpq.sources);
	return follows;
}

void proof_warn_pending(struct report *report)
{
	(void)sg_warn(&report->warnings, "leap-pending",
	              "ntpd says leap 11 for five minutes more, since it has "
	              "stepped the clock and measures its frequency; nothing is "
	              "wrong with that");
}

static int test_word(struct proof *proof, const struct sg_ntpq *ntpq,
                     struct report *report, struct sg_error *error)
{
	enum sg_ntpq_word word = sg_ntpq_judge(ntpq);

	report->why = "not-selected";
	if (word == SG_NTPQ_NOT_SELECTED)
		return sg_fail(error, "not-synchronised",
		               "ntpd runs but has not selected a source; it may need "
		               "longer (--wait), look at \"ntpq -pn\"");
	/* The administrator's own clock is as good as a server. */
	if (!ntpq->clock && !is_ours(proof, ntpq->selected))
		return sg_fail(error, "not-synchronised",
		               "ntpd follows %s, which was not asked for; use "
		               "--exclusive to disable the other sources",
		               ntpq->selected);
	report->why = "leap-alarm";
	if (word == SG_NTPQ_LEAP_ALARM)
		return sg_fail(error, "not-synchronised",
		               "ntpd has selected %s but says that the clock is not "
		               "synchronised (leap 11%s%s); it may need longer, or may "
		               "not be allowed to set the clock",
		               ntpq->selected, ntpq->event[0] != '\0' ? ", " : "",
		               ntpq->event);
	return 0;
}

static int test_measurement(struct proof *proof, const struct sg_ntpq *ntpq,
                            struct report *report, struct sg_error *error)
{
	const char *address = ntpq->clock ? proof_address(proof) : ntpq->selected;
	sg_usec offset = 0;

	report->why = "not-measured";
	if (!measure(proof, address, &offset))
		return sg_fail(error, "not-synchronised",
		               "ntpd has selected %s, but %s does not answer us",
		               ntpq->selected, address);
	report->after_known = true;
	report->offset_after = offset;
	report->why = "clock-off";
	if (llabs(offset) > SG_SYNCHRONISED_OFFSET)
		return sg_fail(
			error, "not-synchronised",
			"ntpd has selected %s, but this host is still off by %+.3f s; use "
			"--step, and see whether ntpd may set the clock",
			ntpq->selected, (double)offset / 1e6);
	return 0;
}

enum answer proof_test(struct proof *proof, const struct sg_process *process,
                       struct report *report, struct sg_error *error)
{
	struct sg_ntpq ntpq = {0};

	report->why = "cannot-be-asked";
	int failed = sg_ntpq_ask(&stop_signal, &ntpq, error);
	if (failed == 0)
		failed = test_word(proof, &ntpq, report, error);
	if (failed == 0)
		failed = test_measurement(proof, &ntpq, report, error);
	if (failed == 0 && !sg_process_is_alive(process)) {
		report->why = "cannot-be-asked";
		failed = sg_fail(error, "not-synchronised", "ntpd has died meanwhile");
	}
	if (failed == 0) {
		report->why = NULL;
		proof->pending = sg_ntpq_judge(&ntpq) == SG_NTPQ_PENDING;
		proof->by_clock = ntpq.clock;
		snprintf(proof->followed, sizeof proof->followed, "%s", ntpq.selected);
	}
	sg_texts_free(&ntpq.sources);
	return failed == 0 ? YES : NO;
}

enum answer proof_await(struct proof *proof, const struct sg_process *process,
                        sg_usec limit, struct report *report,
                        struct sg_error *error)
{
	sg_usec started = sg_time_elapsed();
	struct sg_error told = {0};
	enum answer found = NO;

	for (;;) {
		sg_usec waited = sg_time_elapsed() - started;
		char text[128];

		snprintf(text, sizeof text,
		         "waiting until ntpd follows %s: %lld s of %lld s",
		         proof->servers[0], (long long)(waited / SG_SECOND),
		         (long long)(limit / SG_SECOND));
		report_progress(report, text);
		found = proof_test(proof, process, report, error);
		waited = sg_time_elapsed() - started;
		if (found == YES || stop_signal != 0 || !sg_process_is_alive(process) ||
		    waited >= limit)
			break;
		if (strcmp(told.text, error->text) != 0)
			report_step(report, "not yet after %.1f s: %s",
			            (double)waited / 1e6, error->text);
		told = *error;
		sg_time_sleep(limit - waited < TEST_INTERVAL ? limit - waited
		                                             : TEST_INTERVAL);
	}
	report_progress(report, NULL);
	return found;
}

void proof_free(struct proof *proof)
{
	sg_texts_free(&proof->known);
}
