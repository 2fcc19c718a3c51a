// SPDX-License-Identifier: BSD-2-Clause
#include "objective.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "fail.h"
#include "mem.h"
#include "parse.h"
#include "text.h"

static const struct figure {
	const char *name;
	double share; /* of the requests that may not take longer; 0: the mean */
} figures[] = {{"mean", 0}, {"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"max", 1}};

static const struct unit {
	const char *name;
	double ns;
} units[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};

static int reject(const char *text, const char *what)
{
	return failx(-EINVAL, "'%s' is no objective (%s); it is written 'port=8080 p99<20ms', with mean, p50, p90, p95, p99 or max, "
		     "and us, ms or s", text, what);
}

static const struct figure *figure_of(const char *text, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(figures); i++)
		if (strlen(figures[i].name) == length && !strncmp(figures[i].name, text, length))
			return &figures[i];
	return NULL;
}

/* "20ms" */
static int parse_limit(const char *text, double *ret_ns)
{
	size_t length = strspn(text, "0123456789.");
	_cleanup_free_ char *number = xstrndup(text, length);
	double value;

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(text + length, units[i].name) || parse_double(number, 1e-6, 1e9, &value) < 0)
			continue;
		*ret_ns = value * units[i].ns;
		return 0;
	}
	return -EINVAL;
}

static int add_condition(const char *whole, const char *port, const char *word, json_t *array)
{
	const char *less = strchr(word, '<');
	const struct figure *figure = less ? figure_of(word, (size_t)(less - word)) : NULL;
	double limit_ns;

	if (!less)
		return reject(whole, "a condition has a '<'");
	if (!figure)
		return reject(whole, "unknown figure");
	if (parse_limit(less + 1, &limit_ns) < 0)
		return reject(whole, "the limit is a number with a unit");
	return json_array_append_new(array, json_pack("{ss ss sf sf ss}", "port", port, "figure", figure->name, "share", figure->share,
						      "limit_ns", limit_ns, "text", word)) ? -ENOMEM : 0;
}

/* A number, or a Unix socket's path. */
static int check_port(const char *whole, const char *port)
{
	uint64_t number;

	if (*port == '/' || *port == '@' || parse_u64(port, 1, 65535, &number) == 0)
		return 0;
	return reject(whole, "the port is a number up to 65535, or the path of a Unix socket");
}

int objective_parse(const char *text, json_t *array)
{
	_cleanup_free_ char *copy = xstrndup(text, strlen(text));
	char *rest = copy, *word, *port = NULL;
	size_t conditions = 0;
	int r;

	while ((word = strsep(&rest, " \t,"))) {
		if (!*word)
			continue;
		if (!port) {
			if (!starts_with(word, "port="))
				return reject(text, "it begins with port=");
			port = word + 5;
			r = check_port(text, port);
		} else {
			r = add_condition(text, port, word, array);
			conditions++;
		}
		if (r < 0)
			return r;
	}
	return conditions ? 0 : reject(text, "there is no condition");
}
