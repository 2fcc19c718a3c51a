/* SPDX-License-Identifier: BSD-2-Clause */
/* A recorded frame's kind in a picture. */
#pragma once
#include "flame.h"
#include "stack_view.h"

static inline enum flame_kind flame_kind_of(const struct stack_frame *f)
{
	static const enum flame_kind kinds[CODE_KINDS] = {
		[CODE_KERNEL] = FLAME_KERNEL, [CODE_ELF] = FLAME_USER, [CODE_VDSO] = FLAME_USER,
		[CODE_JIT] = FLAME_JIT, [CODE_PYTHON] = FLAME_PYTHON, [CODE_UNKNOWN] = FLAME_UNKNOWN,
	};

	if (f->inlined && f->kind != CODE_KERNEL)
		return FLAME_INLINED;
	return f->kind == CODE_ELF && !f->symbol ? FLAME_UNKNOWN : kinds[f->kind];
}
