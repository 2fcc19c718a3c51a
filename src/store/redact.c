// SPDX-License-Identifier: BSD-2-Clause
#include "redact.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "intern.h"
#include "mem.h"
#include "text.h"

struct redact {
	struct intern *peers;
};

struct redact *redact_new(void)
{
	struct redact *r = xcalloc(1, sizeof(*r));

	r->peers = intern_new();
	return r;
}

void redact_free(struct redact *r)
{
	if (!r)
		return;
	intern_free(r->peers);
	free(r);
}

/* Folders whose next part is a user; all that is below root's belongs to one already. */
static const struct {
	const char *folder;
	bool has_user;
} personal[] = {
	{"/var/home/", true}, {"/home/", true}, {"/run/user/", true}, {"/run/media/", true}, {"/root/", false},
};

/* The length of the folder that the text begins with, behind which a user's own paths begin; 0: none. */
static size_t personal_folder(const char *text, bool *ret_has_user)
{
	for (size_t i = 0; i < ARRAY_SIZE(personal); i++) {
		size_t length = strlen(personal[i].folder);

		if (!strncmp(text, personal[i].folder, length)) {
			*ret_has_user = personal[i].has_user;
			return length;
		}
	}
	return 0;
}

/* Of what is below a personal folder: "*" for the user, and the last part. */
static void add_below(const char *text, size_t length, bool has_user, struct buf *ret)
{
	const char *slash = memrchr(text, '/', length);

	if (has_user)
		buf_addstr(ret, slash ? "*/" : "*");
	if (slash)
		buf_add(ret, slash + 1, length - (size_t)(slash + 1 - text));
	else if (!has_user)
		buf_add(ret, text, length);
}

/* Paths anywhere in the text; each ends at one of the bytes in `ends`. */
static void add_paths(const char *text, const char *ends, struct buf *ret)
{
	while (*text) {
		bool has_user;
		size_t folder = *text == '/' ? personal_folder(text, &has_user) : 0;

		if (!folder) {
			buf_addch(ret, *text++);
			continue;
		}
		size_t length = strcspn(text + folder, ends);
		buf_add(ret, text, folder);
		add_below(text + folder, length, has_user, ret);
		text += folder + length;
	}
}

/* Says nothing about anybody: this host itself, or any. */
static bool is_nobodys(const char *address, size_t length)
{
	static const char *const all[] = {"*", "[::1]", "localhost"};

	if (length >= 4 && starts_with(address, "127."))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (strlen(all[i]) == length && !strncmp(address, all[i], length))
			return true;
	return false;
}

/* "ADDRESS:PORT". */
static void add_peer(struct redact *r, const char *text, size_t length, struct buf *ret)
{
	const char *colon = memrchr(text, ':', length);
	size_t address = colon ? (size_t)(colon - text) : length;

	if (is_nobodys(text, address))
		buf_add(ret, text, address);
	else
		buf_addf(ret, "peer%u", intern_id(r->peers, text, address, NULL) + 1);
	buf_add(ret, text + address, length - address);
}

/* One of them, or two with an arrow between. */
static void add_peers(struct redact *r, const char *text, struct buf *ret)
{
	static const char arrow[] = " -> ";
	const char *second = strstr(text, arrow);

	add_peer(r, text, second ? (size_t)(second - text) : strlen(text), ret);
	if (!second)
		return;
	buf_addstr(ret, arrow);
	second += strlen(arrow);
	add_peer(r, second, strlen(second), ret);
}

static bool has_peers(const char *kind, const char *text)
{
	return (!strcmp(kind, "connection") || !strcmp(kind, "service") || !strcmp(kind, "port")) && !strchr("/@", *text);
}

void redact_add(struct redact *r, const char *kind, const char *text, struct buf *ret)
{
	if (kind && has_peers(kind, text))
		add_peers(r, text, ret);
	else
		add_paths(text, *text == '/' ? "" : " \t:,;\"'()[]<>", ret);
}
