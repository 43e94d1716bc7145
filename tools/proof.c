/*
 * The proof: what the servers say, and whether ntpd really follows one of them.
 *
 * A `*` in ntpq's table proves little: an ntpd that may not set the clock shows
 * it too. So our own measurement has to agree.
 */
#include "tools.h"

#include <stdio.h>
#include <string.h>

#define TEST_INTERVAL (SG_SECOND / 2)

static const struct sg_sntp_answer *best_answer(const struct proof *proof)
{
	for (size_t i = 0; i < proof->answer_count; i++)
		if (proof->answers[i].usable)
			return &proof->answers[i];
	return NULL;
}

static void ask(struct proof *proof)
{
	proof->answer_count = sg_sntp_query(proof->servers, proof->server_count,
	                                    &sg_sntp_defaults, proof->answers);
	proof->asked = true;
}

int proof_preflight(struct proof *proof, struct report *report,
                    struct sg_error *error)
{
	ask(proof);
	const struct sg_sntp_answer *best = best_answer(proof);

	if (best == NULL)
		return sg_fail(
			error, "no-usable-answer",
			"no server gave a usable answer, nothing was changed: %.800s",
			proof->answers[0].error.text);
	for (size_t i = 0; i < proof->answer_count; i++)
		if (!proof->answers[i].usable &&
		    sg_warn(&report->warnings, "server-unusable", "%s: %.800s",
		            proof->answers[i].server,
		            proof->answers[i].error.text) != 0)
			return sg_fail_memory(error);
	report->before_known = true;
	report->offset_before = best->offset;
	report_step(report, "%s says this host is off by %+.6f s", best->address,
	            (double)best->offset / 1e6);
	return 0;
}

const char *proof_address(const struct proof *proof)
{
	const struct sg_sntp_answer *best = best_answer(proof);

	return best != NULL ? best->address : proof->servers[0];
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
	struct sg_error error = {0};

	if (proof->last.usable &&
	    sg_clock_store(SG_CLOCK_RECORD, &proof->last, false, &error) != 0)
		(void)sg_warn(&report->warnings, "record-not-written", "%s",
		              error.text);
}

/* Whether `address` is one of the servers'. */
static bool is_ours(struct proof *proof, const char *address)
{
	if (!proof->asked)
		ask(proof); /* names are known by their addresses */
	for (size_t i = 0; i < proof->answer_count; i++)
		if (sg_ntpconf_same_server(proof->answers[i].address, address))
			return true;
	return false;
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

static int test_word(struct proof *proof, const struct sg_ntpq *ntpq,
                     struct sg_error *error)
{
	if (ntpq->selected[0] == '\0')
		return sg_fail(error, "not-synchronised",
		               "ntpd runs but has not selected a source; it may need "
		               "longer (--wait), look at \"ntpq -pn\"");
	if (!is_ours(proof, ntpq->selected))
		return sg_fail(error, "not-synchronised",
		               "ntpd follows %s, which was not asked for; use "
		               "--exclusive to disable the other sources",
		               ntpq->selected);
	if (ntpq->leap == 3)
		return sg_fail(error, "not-synchronised",
		               "ntpd has selected %s but says that the clock is not "
		               "synchronised (leap 11); it may need longer, or may not "
		               "be allowed to set the clock",
		               ntpq->selected);
	return 0;
}

static int test_measurement(struct proof *proof, const char *address,
                            struct report *report, struct sg_error *error)
{
	sg_usec offset = 0;

	if (!measure(proof, address, &offset))
		return sg_fail(error, "not-synchronised",
		               "ntpd has selected %s, but it does not answer us",
		               address);
	report->after_known = true;
	report->offset_after = offset;
	if (llabs(offset) > SG_SYNCHRONISED_OFFSET)
		return sg_fail(
			error, "not-synchronised",
			"ntpd has selected %s, but this host is still off by %+.3f s; use "
			"--step, and see whether ntpd may set the clock",
			address, (double)offset / 1e6);
	return 0;
}

enum answer proof_test(struct proof *proof, const struct sg_process *process,
                       struct report *report, struct sg_error *error)
{
	struct sg_ntpq ntpq = {0};

	int failed = sg_ntpq_ask(&stop_signal, &ntpq, error);
	if (failed == 0)
		failed = test_word(proof, &ntpq, error);
	if (failed == 0)
		failed = test_measurement(proof, ntpq.selected, report, error);
	if (failed == 0 && !sg_process_is_alive(process))
		failed = sg_fail(error, "not-synchronised", "ntpd has died meanwhile");
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
		sg_time_sleep(TEST_INTERVAL);
	}
	report_progress(report, NULL);
	return found;
}
