// SPDX-License-Identifier: BSD-2-Clause
#include "terminal_guard.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <term.h>

#include "fail.h"
#include "mem.h"

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};

/* A signal's handler may neither allocate nor ask curses, so all is made before; shared with the process beside. */
static struct shared {
	volatile sig_atomic_t on;
	struct termios before, during;
	char reset[256];
	size_t reset_length;
} *guard;
static struct sigaction actions_before[ARRAY_SIZE(fatal_signals)];

static void reset(bool modes)
{
	guard->on = 0;
	(void)!write(STDOUT_FILENO, guard->reset, guard->reset_length);
	if (modes)
		tcsetattr(STDOUT_FILENO, TCSANOW, &guard->before);
}

static void on_crash(int number)
{
	if (guard->on)
		reset(true);
	raise(number); /* SA_RESETHAND: this time it ends the process */
}

static void add_reset(const char *sequence)
{
	size_t len = sequence && sequence != (char *)-1 ? strlen(sequence) : 0;

	if (guard->reset_length + len > sizeof(guard->reset))
		return;
	memcpy(guard->reset + guard->reset_length, sequence ? sequence : "", len);
	guard->reset_length += len;
}

static void make_reset(void)
{
	/* The mouse first: its reports must not reach the shell. */
	if (tigetstr("kmous") && tigetstr("kmous") != (char *)-1)
		add_reset("\033[?1006l\033[?1000l");
	add_reset(exit_attribute_mode);
	add_reset(cursor_normal);
	add_reset(keypad_local);
	add_reset(exit_ca_mode);
}

/* A shell that has seen the end first may have set modes of its own: those stay. */
static bool has_modes(const struct termios *modes)
{
	struct termios now;

	return tcgetattr(STDOUT_FILENO, &now) == 0 && now.c_lflag == modes->c_lflag && now.c_iflag == modes->c_iflag;
}

/* In a session of its own: no key reaches it, and no shell waits for it. */
static _Noreturn void wait_beside(int parent)
{
	struct pollfd end = {.fd = parent, .events = POLLIN};

	setsid();
	prctl(PR_SET_NAME, "perfscope-tty");
	while (poll(&end, 1, -1) < 0 && errno == EINTR)
		;
	if (guard->on)
		reset(has_modes(&guard->during));
	_exit(0);
}

/* Without it, where a process cannot be waited for (before Linux 5.3), only a kill is not noticed. */
static void start_beside(void)
{
	int parent = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (parent < 0)
		return;
	if (fork() == 0)
		wait_beside(parent);
	close(parent);
}

int terminal_guard_start(void)
{
	const char *name = getenv("TERM");
	int error;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return failx(-ENOTTY, "standard input and output are not a terminal; top -b prints without one");
	/* newterm() would end the process where setupterm() tells what is wrong. */
	if (setupterm(NULL, STDOUT_FILENO, &error) != OK)
		return failx(-ENOTTY, "the terminal '%s' (TERM) is not known here; top -b needs none", name ? name : "");
	if (!cursor_address || !clear_screen)
		return failx(-ENOTTY, "on the terminal '%s' (TERM) nothing can be put in its place; top -b needs none", name ? name : "");
	guard = mmap(NULL, sizeof(*guard), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (guard == MAP_FAILED)
		return fail(-errno, "prepare the terminal");
	tcgetattr(STDOUT_FILENO, &guard->before);
	make_reset();
	start_beside();
	return 0;
}

void terminal_guard_set(bool on)
{
	struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};

	if (on)
		tcgetattr(STDOUT_FILENO, &guard->during);
	guard->on = on;
	for (size_t i = 0; i < ARRAY_SIZE(fatal_signals); i++)
		sigaction(fatal_signals[i], on ? &action : &actions_before[i], on ? &actions_before[i] : NULL);
}
