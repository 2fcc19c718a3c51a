/* SPDX-License-Identifier: BSD-2-Clause */
/* For libbpf_set_print(): what libbpf has to say is for who debugs perfscope. */
#pragma once
#include <bpf/libbpf.h>
#include <stdarg.h>

int log_libbpf(enum libbpf_print_level level, const char *format, va_list args);
