/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as skewgate.conf, and as the module's arguments: they are read or
 * refused with the line that is wrong; what was read is within its bounds, and
 * read again from what it means it is the same.
 */
#include "fuzz.h"

#include "lib/policy/options.c"

/* ---- what was read ------------------------------------------------------ */

static void expect_text(const char *text)
{
	expect(text != NULL && text[0] != '\0');
	expect(strpbrk(text, "\n") == NULL);
	expect(strchr(" \t\r", text[0]) == NULL);
	expect(strchr(" \t\r", text[strlen(text) - 1]) == NULL);
}

static void expect_list(const struct sg_texts *list, bool may_be_empty)
{
	expect(may_be_empty || list->count > 0);
	for (size_t i = 0; i < list->count; i++) {
		expect_text(list->items[i]);
		expect(strchr(list->items[i], ',') == NULL);
	}
}

static void expect_options(const struct sg_options *options)
{
	const struct sg_policy *policy = &options->policy;
	const sg_usec last = SG_TIME_LAST;

	expect(options->keys[0] == '/');
	expect_text(policy->user_claim);
	if (policy->issuer != NULL)
		expect_text(policy->issuer);
	if (policy->user_suffix != NULL)
		expect_text(policy->user_suffix);
	expect_list(&policy->audiences, true);
	expect_list(&policy->required, true);
	expect(policy->algorithms != 0);
	expect(policy->window.leeway >= 0 &&
	       policy->window.leeway <= SG_MAX_LEEWAY);
	expect(policy->window.max_age >= 0 && policy->window.max_age <= last);
	expect(policy->window.max_lifetime >= 0 &&
	       policy->window.max_lifetime <= last);
	expect(policy->max_clock_error >= SG_SECOND &&
	       policy->max_clock_error <= last);
	expect(policy->on_bad_clock <= SG_BAD_CLOCK_DENY);
}

/* ---- what it means ------------------------------------------------------ */

static void write_list(FILE *file, const char *name,
                       const struct sg_texts *list)
{
	for (size_t i = 0; i < list->count; i++)
		fprintf(file, "%s%s", i == 0 ? name : ", ", list->items[i]);
	if (list->count > 0)
		fputc('\n', file);
}

static void write_seconds(FILE *file, const char *name, sg_usec time)
{
	if (time > 0)
		fprintf(file, "%s%lld\n", name, (long long)(time / SG_SECOND));
}

/* The options as a config, for the caller to free. */
static char *write_config(const struct sg_options *options, size_t *size)
{
	static const char *const answers[] = {"no", "yes"};
	static const char *const clocks[] = {"ignore", "warn", "deny"};
	static const char *const algorithms[] = {
		"ES256", "ES384", "ES512", "EdDSA", "RS256", "RS384", "RS512",
		"PS256", "PS384", "PS512", "HS256", "HS384", "HS512"};
	const struct sg_policy *policy = &options->policy;
	const char *separator = "algorithms=";
	char *text = NULL;
	FILE *file = open_memstream(&text, size);

	expect(file != NULL);
	fprintf(file, "keys=%s\nuser_claim=%s\n", options->keys,
	        policy->user_claim);
	if (policy->issuer != NULL)
		fprintf(file, "issuer=%s\n", policy->issuer);
	if (policy->user_suffix != NULL)
		fprintf(file, "user_suffix=%s\n", policy->user_suffix);
	write_list(file, "audience=", &policy->audiences);
	write_list(file, "require=", &policy->required);
	for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
		if ((policy->algorithms &
		     sg_algorithm_bit(sg_algorithm_named(algorithms[i]))) != 0) {
			fprintf(file, "%s%s", separator, algorithms[i]);
			separator = ",";
		}
	fprintf(file, "\nleeway=%lld\n",
	        (long long)(policy->window.leeway / SG_SECOND));
	write_seconds(file, "max_age=", policy->window.max_age);
	write_seconds(file, "max_lifetime=", policy->window.max_lifetime);
	write_seconds(file, "max_clock_error=", policy->max_clock_error);
	fprintf(file, "on_bad_clock=%s\nsingle_use=%s\nend_session=%s\n",
	        clocks[policy->on_bad_clock], answers[policy->single_use],
	        answers[options->end_session]);
	fprintf(file, "use_first_pass=%s\ndebug=%s\n",
	        answers[options->use_first_pass], answers[options->debug]);
	expect(fclose(file) == 0);
	return text;
}

/* ---- the target --------------------------------------------------------- */

static void begin(struct sg_options *options)
{
	*options = (struct sg_options){0};
	expect(sg_policy_begin(&options->policy) == 0);
	options->keys = strdup("/k");
}

static void expect_refusal(const struct sg_error *error, bool is_config)
{
	expect(strcmp(error->code, "option-unknown") == 0 ||
	       strcmp(error->code, "option-invalid") == 0);
	/* The file and, but for a NUL, the line. */
	expect(!is_config || strncmp(error->text, "/c", 2) == 0);
	for (const char *byte = error->text; *byte != '\0'; byte++)
		expect((unsigned char)*byte >= ' ' && *byte != 127);
}

static int read_text(const char *bytes, size_t size, struct sg_options *options,
                     struct sg_error *error)
{
	char *copy = malloc(size + 1);

	expect(copy != NULL);
	memcpy(copy, bytes, size);
	copy[size] = '\0';
	begin(options);
	int failed = read_config("/c", copy, size, options, error);
	free(copy);
	return failed;
}

static void read_file(const char *bytes, size_t size)
{
	struct sg_options options;
	struct sg_options again;
	struct sg_error error = {0};
	size_t first_size = 0;
	size_t second_size = 0;

	if (read_text(bytes, size, &options, &error) != 0) {
		expect_refusal(&error, true);
		sg_options_free(&options);
		return;
	}
	/* Nothing of it was left out. */
	expect(memchr(bytes, '\0', size) == NULL);
	expect_options(&options);
	char *first = write_config(&options, &first_size);
	expect(read_text(first, first_size, &again, &error) == 0);
	char *second = write_config(&again, &second_size);
	expect(first_size == second_size && memcmp(first, second, first_size) == 0);
	free(first);
	free(second);
	sg_options_free(&options);
	sg_options_free(&again);
}

/* Each line is an argument. */
static void read_stack(const char *bytes, size_t size)
{
	enum { MAX_ARGUMENTS = 16 };
	const char *arguments[MAX_ARGUMENTS];
	struct sg_options options;
	struct sg_error error = {0};
	char *copy = strndup(bytes, size);
	int count = 0;

	expect(copy != NULL);
	for (char *rest = copy; rest != NULL && count < MAX_ARGUMENTS;)
		arguments[count++] = strsep(&rest, "\n");
	begin(&options);
	if (read_arguments(count, arguments, &options, &error) != 0)
		expect_refusal(&error, false);
	free(copy);
	sg_options_free(&options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if ((data[0] & 1) == 0)
		read_file((const char *)data + 1, size - 1);
	else
		read_stack((const char *)data + 1, size - 1);
	return 0;
}
