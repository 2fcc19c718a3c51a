// SPDX-License-Identifier: BSD-2-Clause
/* Manual page and completion of the sample commands, judged by the programs that read them. */
#include "check.h"

#include <stdlib.h>
#include <unistd.h>

#include "cleanup.h"
#include "completion.h"
#include "man.h"
#include "mem.h"
#include "sample_command.h"

static int skipped;

static bool have(const char *program)
{
	_cleanup_free_ char *line = xasprintf("command -v %s >/dev/null", program);

	if (system(line) == 0)
		return true;
	printf("skipped: there is no %s\n", program);
	skipped++;
	return false;
}

static void write_file(const char *name, const struct buf *text)
{
	_cleanup_fclose_ FILE *f = fopen(name, "w");

	CHECK(f && fwrite(text->data, 1, text->len, f) == text->len);
}

/* What a shell command prints, lines joined by spaces; with its status when that is not 0. */
static void ask(const char *line, struct buf *answer)
{
	FILE *f = popen(line, "r");
	int c, status;

	buf_reset(answer);
	while (f && (c = getc(f)) != EOF)
		buf_addch(answer, c == '\n' ? ' ' : (char)c);
	status = f ? pclose(f) : -1;
	if (status)
		buf_addf(answer, "status %d", status);
}

static void test_bash(void)
{
	static const struct {
		const char *words, *want; /* the last word is being completed */
	} cases[] = {
		{"perfscope s", "sample "},
		{"perfscope ''", "sample other --help --version "},
		{"perfscope sample --fr", "--frequency= --from= "},
		{"perfscope sample --colour gr", "green "},
		{"perfscope sample --colour =", "red green "},
		{"perfscope sample --colour = r", "red "},
		{"perfscope sample --frequency 7 --colour g", "green "},
		{"perfscope sample -o unit-completion.b", "unit-completion.bash "},
		{"perfscope sample unit-completion.b", "unit-completion.bash "},
		{"perfscope sample --dry x s", "slow "},
		{"perfscope sample --colour red x f", "fast "},
		{"perfscope sample --colour = red -- x f", "fast "},
		{"perfscope sample x fast ''", ""},
		{"perfscope other -q -- unsha", "unshare "},
		{"perfscope other unshare -", ""},
		{"perfscope other -", "--quiet --verbose --help "},
		{"perfscope secret -", ""},
	};
	_cleanup_(buf_done) struct buf script = BUF_INIT, answer = BUF_INIT;

	if (!have("bash"))
		return;
	completion_add_bash(&script, commands);
	write_file("unit-completion.bash", &script);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *line = xasprintf(
			"PATH=/usr/bin bash -uc 'source ./unit-completion.bash; COMP_WORDS=(%s); "
			"COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _perfscope 2>/dev/null; "
			"((!${#COMPREPLY[@]})) || printf \"%%s\\n\" \"${COMPREPLY[@]}\"'",
			cases[i].words);
		char *p = line;

		/* An empty word inside the single-quoted script. */
		while ((p = strstr(p, "''")))
			*p++ = '"', *p++ = '"';
		ask(line, &answer);
		CHECK_STR(answer.data, cases[i].want);
	}
	unlink("unit-completion.bash");
}

static void ask_fish(const char *words, struct buf *answer)
{
	_cleanup_free_ char *line = xasprintf(
		"HOME=$PWD fish --no-config -c 'source ./unit-completion.fish; "
		"complete -C \"%s\"' | cut -f1", words);

	ask(line, answer);
}

static void test_fish(void)
{
	static const struct {
		const char *line, *want;
	} cases[] = {
		{"perfscope s", "sample "},
		{"perfscope sample --colour g", "green "},
		{"perfscope other --qui", "--quiet "},
	};
	_cleanup_(buf_done) struct buf script = BUF_INIT, answer = BUF_INIT;

	if (!have("fish"))
		return;
	completion_add_fish(&script, commands);
	write_file("unit-completion.fish", &script);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ask_fish(cases[i].line, &answer);
		CHECK_STR(answer.data, cases[i].want);
	}
	ask_fish("perfscope sample --f", &answer);
	CHECK(strstr(answer.data, "--frequency") && strstr(answer.data, "--from"));
	CHECK(!strstr(answer.data, "--colour"));
	unlink("unit-completion.fish");
}

static void test_zsh(void)
{
	_cleanup_(buf_done) struct buf script = BUF_INIT, answer = BUF_INIT;

	completion_add_zsh(&script, commands);
	CHECK(strstr(script.data, "'(-o --output)'{-o+,--output=}"
				  "'[write here\\: it'\\''s \\[new\\] \\\\ or not]:FILE:_files'"));
	CHECK(strstr(script.data, "'*--name=[one more name]:NAME: '"));
	CHECK(strstr(script.data, "'--colour=[hue]:colour:(red green)'"));
	CHECK(!strstr(script.data, "secret"));
	if (!have("zsh"))
		return;
	write_file("unit-completion.zsh", &script);
	ask("zsh -n unit-completion.zsh 2>&1", &answer);
	CHECK_STR(answer.data, "");
	unlink("unit-completion.zsh");
}

static void test_man(void)
{
	_cleanup_(buf_done) struct buf page = BUF_INIT, answer = BUF_INIT;

	man_add_command(&page, &sample, "1.0");
	if (!have("groff"))
		return;
	write_file("unit-completion.1", &page);
	ask("groff -man -Tascii -ww -z unit-completion.1 2>&1", &answer);
	CHECK_STR(answer.data, "");
	ask("groff -man -Tascii -P-c -P-b -P-u unit-completion.1", &answer);
	CHECK(strstr(answer.data, "perfscope-sample - a sample"));
	CHECK(strstr(answer.data, ".TH is no request here"));
	CHECK(strstr(answer.data, "  verbatim \\n"));
	CHECK(strstr(answer.data, "-F, --frequency=HZ"));
	CHECK(strstr(answer.data, "rate (default: 99)"));
	unlink("unit-completion.1");
}

int main(void)
{
	test_bash();
	test_fish();
	test_zsh();
	test_man();
	printf("completion: %d passed, %d failed, %d skipped\n", check_passed, check_failed,
	       skipped);
	return check_failed != 0;
}
