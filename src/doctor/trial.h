/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows that a group of checks consists of, and what they share while they run. */
#pragma once
#include <bpf/btf.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>

#include "cleanup.h"
#include "doctor.h"

#define CAP(name) (UINT64_C(1) << CAP_##name)
#define RELEASE(major, minor) ((major)*1000u + (minor))
#define BPF_CAPS (CAP(BPF) | CAP(PERFMON))

struct trial {
	const struct utsname *uts;
	struct btf *btf;      /* NULL when the kernel's types cannot be had */
	int btf_error;        /* then a negative errno */
	struct buf config;    /* kernel configuration, empty when unknown */
	uint64_t caps;        /* effective in the initial user namespace */
	bool user_namespace;   /* not the initial one: capabilities count for nothing */
	unsigned release;     /* RELEASE() of the running kernel */
	bool filtered;        /* a seccomp filter may refuse system calls, as in containers */
	const char *lockdown; /* "none", "integrity", "confidentiality", "none or integrity", or NULL: unknown */
	bool lockdown_inferred; /* from behaviour, because the file cannot be read */
	char log[512];        /* the verifier's words about the last program that it refused */
};

/* A check works when run() returns 0; then it may have set another status in `r`. A negative errno
 * is explained from the row: capability, configuration, kernel version, lockdown. */
struct check {
	const char *name, *purpose, *cost, *fallback;
	const char *config; /* the kernel option behind it, without CONFIG_ */
	unsigned since;     /* RELEASE() that brought it */
	uint64_t caps;
	bool required;
	int (*run)(struct trial *t, const struct check *c, struct doctor_result *r);
	const void *arg;
};

struct check_group {
	const char *name;
	const struct check *checks;
	size_t count;
};

extern const struct check_group checks_kernel, checks_setting, checks_capability, checks_program,
	checks_hook, checks_map, checks_helper, checks_event, checks_cgroup, checks_symbol;

#define CHECK_GROUP(ident, rows)                           \
	const struct check_group checks_##ident = {        \
		.name = #ident,                            \
		.checks = rows,                            \
		.count = sizeof(rows) / sizeof((rows)[0]), \
	}

void trial_prepare(struct trial *t,
		   const struct utsname *uts); /* never fails: what is unknown stays empty */
void trial_done(struct trial *t);
/* 'y', 'm' or 'n' when the configuration is known, otherwise 0. */
char trial_config(const struct trial *t, const char *option);
/* Whether perf_event_paranoid is at the level that Debian and Ubuntu added, for which CAP_PERFMON
 * is not enough. */
bool trial_too_paranoid(const struct trial *t);
/* Lockdown in its stricter mode leaves tracefs empty. */
bool trial_hides_tracefs(const struct trial *t);
/* A folder fd of a file system of the kernel that need not be mounted anywhere; nobody else sees
 * this mount, and it ends with the fd. -errno. */
int trial_private_mount(const char *type);
/* First line of a small file, without its end; -errno. */
int trial_line(const char *path, struct buf *b);
