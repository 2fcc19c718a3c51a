// SPDX-License-Identifier: BSD-2-Clause
#include "log_libbpf.h"

#include "buf.h"
#include "cleanup.h"
#include "log.h"

int log_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;

	if (level == LIBBPF_DEBUG)
		return 0;
	buf_addv(&text, format, args);
	while (text.len && text.data[text.len - 1] == '\n')
		text.data[--text.len] = 0;
	log_debug("%s", text.data);
	return 0;
}
