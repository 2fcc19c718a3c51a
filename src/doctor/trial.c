// SPDX-License-Identifier: BSD-2-Clause
#include "trial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <zlib.h>

#include "insn.h"
#include "io.h"
#include "mem.h"
#include "proc_status.h"

static void read_config_gz(struct buf *b)
{
	gzFile f = gzopen("/proc/config.gz", "re");
	char piece[16384];
	int n;

	if (!f)
		return;
	while (b->len < (4u << 20) && (n = gzread(f, piece, sizeof(piece))) > 0)
		buf_add(b, piece, (size_t)n);
	gzclose(f);
}

static void read_config(struct buf *b, const char *release)
{
	static const char *const places[] = { "/boot/config-%s", "/lib/modules/%s/config",
					      "/lib/modules/%s/build/.config" };
	char path[256];

	read_config_gz(b);
	for (size_t i = 0; !b->len && i < ARRAY_SIZE(places); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(path, sizeof(path), places[i], release);
#pragma GCC diagnostic pop
		if (read_file(path, 4u << 20, b) < 0)
			buf_reset(b);
	}
}

char trial_config(const struct trial *t, const char *option)
{
	char key[96];
	int n = snprintf(key, sizeof(key), "\nCONFIG_%s=", option);

	if (!t->config.len)
		return 0;
	const char *hit = strstr(t->config.data, key);

	return !hit ? 'n' : hit[n] == 'm' ? 'm' : 'y';
}

int trial_line(const char *path, struct buf *b)
{
	int r = read_file(path, 64 << 10, b);

	if (r < 0)
		return r;
	b->len = strcspn(b->data, "\n");
	b->data[b->len] = '\0';
	return 0;
}

bool trial_too_paranoid(const struct trial *t)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;

	return !(t->caps & CAP(SYS_ADMIN)) && (t->caps & CAP(PERFMON)) &&
	       trial_line("/proc/sys/kernel/perf_event_paranoid", &b) == 0 && atoi(b.data) > 2;
}

bool trial_hides_tracefs(const struct trial *t)
{
	return t->lockdown && !strcmp(t->lockdown, "confidentiality");
}

int trial_private_mount(const char *type)
{
	_cleanup_close_ int context = fsopen(type, FSOPEN_CLOEXEC);

	if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	int root = fsmount(context, FSMOUNT_CLOEXEC, 0);

	return root < 0 ? -errno : root;
}

/* Capabilities count only where the kernel asks for them: in the initial user namespace. */
static bool in_initial_user_namespace(void)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	unsigned long inside, outside, length;

	if (trial_line("/proc/self/uid_map", &b) < 0)
		return true;
	return sscanf(b.data, "%lu %lu %lu", &inside, &outside, &length) == 3 && inside == 0 &&
	       outside == 0 && length == 4294967295ul;
}

static uint64_t effective_caps(void)
{
	uint64_t caps;

	if (!proc_status(0, "CapEff", 16, &caps))
		return 0;
	if (caps & CAP(SYS_ADMIN)) /* it includes these, and before 5.8 it is them */
		caps |= CAP(BPF) | CAP(PERFMON) | CAP(SYSLOG);
	return caps;
}

static bool seccomp_filtered(void)
{
	uint64_t mode;

	return proc_status(0, "Seccomp", 10, &mode) && mode == 2;
}

static unsigned parse_release(const char *text)
{
	unsigned major = 0, minor = 0;

	sscanf(text, "%u.%u", &major, &minor);
	return RELEASE(major, minor);
}

/* Whether the kernel refuses a program, which calls a helper as it wants to be called. */
static bool helper_refused(struct trial *t, const struct bpf_insn *insns, size_t count)
{
	const struct program p = { .type = BPF_PROG_TYPE_RAW_TRACEPOINT };
	_cleanup_close_ int prog = program_load(t, &p, insns, count);

	return prog < 0;
}

/* Where the file cannot be had, behaviour tells of confidentiality: a helper that it forbids vanishes, while a program without it
 * loads. The one that integrity forbids, bpf_probe_write_user, cannot be tried: the kernel logs a warning for whoever loads it. */
static const char *infer_lockdown(struct trial *t)
{
	const struct bpf_insn read_kernel[] = {
		MOV_REG(BPF_REG_1, BPF_REG_10),
		ADD_IMM(BPF_REG_1, -8),
		MOV_IMM(BPF_REG_2, 8),
		MOV_IMM(BPF_REG_3, 0),
		CALL(probe_read_kernel),
		MOV_IMM(BPF_REG_0, 0),
		EXIT(),
	};

	if (helper_refused(t, NULL, 0))
		return NULL;
	if (t->release < RELEASE(5, 5))
		return NULL;
	return helper_refused(t, read_kernel, ARRAY_SIZE(read_kernel)) ? "confidentiality" : "none or integrity";
}

/* securityfs is often not mounted in containers and on small systems. */
static int lockdown_line(struct buf *b)
{
	if (trial_line("/sys/kernel/security/lockdown", b) == 0)
		return 0;
	_cleanup_close_ int root = trial_private_mount("securityfs");

	return root < 0 ? root : read_file_at(root, "lockdown", 256, b);
}

static const char *read_lockdown(struct trial *t)
{
	static const char *const modes[] = { "none", "integrity", "confidentiality" };
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	char marked[32];

	int error = lockdown_line(&b);

	if (error == -ENOENT) /* a kernel that cannot be locked down */
		return "none";
	if (error < 0) {
		t->lockdown_inferred = true;
		return infer_lockdown(t);
	}
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		snprintf(marked, sizeof(marked), "[%s]", modes[i]);
		if (strstr(b.data, marked))
			return modes[i];
	}
	return NULL;
}

void trial_prepare(struct trial *t, const struct utsname *uts)
{
	*t = (struct trial){ .uts = uts,
			     .config = BUF_INIT,
			     .release = parse_release(uts->release) };
	t->user_namespace = !in_initial_user_namespace();
	t->caps = t->user_namespace ? 0 : effective_caps();
	t->filtered = seccomp_filtered();
	read_config(&t->config, uts->release);
	t->btf = btf__load_vmlinux_btf();
	if (!t->btf)
		t->btf_error = errno ? -errno : -EINVAL;
	t->lockdown = read_lockdown(t);
}

void trial_done(struct trial *t)
{
	btf__free(t->btf);
	buf_done(&t->config);
}
