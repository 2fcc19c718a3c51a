// SPDX-License-Identifier: BSD-2-Clause
/* The independent opinion: libdw's own unwinder, on the same stopped thread. */
#include <elfutils/libdwfl.h>

#include "capture.h"
#include "mem.h"

struct oracle {
	Dwfl *dwfl;
};

struct frames {
	uint64_t *ip;
	size_t count, max;
};

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_linux_proc_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
};

struct oracle *oracle_new(pid_t pid)
{
	struct oracle *o = xcalloc(1, sizeof(*o));

	o->dwfl = dwfl_begin(&callbacks);
	if (!o->dwfl || dwfl_linux_proc_report(o->dwfl, pid) ||
	    dwfl_report_end(o->dwfl, NULL, NULL) || dwfl_linux_proc_attach(o->dwfl, pid, true)) {
		oracle_free(o);
		return NULL;
	}
	return o;
}

void oracle_free(struct oracle *o)
{
	if (!o)
		return;
	dwfl_end(o->dwfl);
	free(o);
}

static int on_frame(Dwfl_Frame *frame, void *arg)
{
	struct frames *f = arg;
	Dwarf_Addr pc;

	if (f->count == f->max || !dwfl_frame_pc(frame, &pc, NULL))
		return DWARF_CB_ABORT;
	f->ip[f->count++] = pc;
	return DWARF_CB_OK;
}

size_t oracle_frames(struct oracle *o, pid_t tid, uint64_t *ip, size_t max)
{
	struct frames f = {.ip = ip, .max = max};

	dwfl_getthread_frames(o->dwfl, tid, on_frame, &f);
	return f.count;
}

const char *oracle_name(struct oracle *o, uint64_t address)
{
	Dwfl_Module *m = dwfl_addrmodule(o->dwfl, address);

	return m ? dwfl_module_addrname(m, address) : NULL;
}
