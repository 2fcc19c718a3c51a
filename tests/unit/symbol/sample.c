// SPDX-License-Identifier: BSD-2-Clause
/* A small program with one of each kind of symbol; tests/unit/symbol.c asks for their names. */
#include <stdio.h>

volatile int sink;

static __attribute__((noinline)) void quiet_helper(int n)
{
	for (int i = 0; i < n; i++)
		sink += i;
}

__attribute__((noinline)) void exported_helper(int n)
{
	quiet_helper(n);
	sink++;
}
__attribute__((alias("exported_helper"))) void __exported_helper_alias(int n);

__attribute__((noinline)) void cxx_function(int n) __asm__("_ZN4shop8checkout3payEi");
void cxx_function(int n)
{
	sink -= n;
	sink *= 3;
}

__attribute__((noinline)) void rust_function(int n)
	__asm__("_ZN4core5slice4sort17h0123456789abcdefE");
void rust_function(int n)
{
	sink ^= n;
	sink *= 5;
}

__attribute__((noinline)) void new_rust_function(int n) __asm__("_RNvCs5fTHBBEpZ9_5crate7example");
void new_rust_function(int n)
{
	sink ^= n;
	sink *= 7;
}

/* As assemblers write it: neither type nor size. */
__asm__(".text\n.balign 64\n.globl sizeless_entry\nsizeless_entry:\n"
	"nop\nnop\nnop\nnop\nret\n.balign 64, 0xcc\n"
	".globl after_sizeless\n.type after_sizeless, @function\nafter_sizeless:\nnop\nret\n"
	".size after_sizeless, 2\n.balign 256, 0xcc\n");

/* Marks for tracers, as SystemTap's sys/sdt.h writes them: one with a counter, one without, and one that nobody asks for. */
unsigned short gc_counter __attribute__((section(".probes")));
#define MARK(place, counter, name)                                                                                   \
	__asm__(".pushsection .note.stapsdt,\"\",\"note\"\n.balign 4\n.4byte 992f-991f, 994f-993f, 3\n"                  \
		"991: .asciz \"stapsdt\"\n992: .balign 4\n993: .8byte " place ", _.stapsdt.base, " counter "\n"          \
		".asciz \"shop\"\n.asciz \"" name "\"\n.asciz \"\"\n994: .balign 4\n.popsection\n")
__asm__(".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n.weak _.stapsdt.base\n"
	".hidden _.stapsdt.base\n_.stapsdt.base: .space 1\n.size _.stapsdt.base, 1\n.popsection\n");
MARK("sizeless_entry", "gc_counter", "gc__begin");
MARK("after_sizeless", "0", "gc__end");
MARK("after_sizeless", "0", "sale");

#line 1000 "inlined.h"
static inline __attribute__((always_inline)) void innermost(int n)
{
	sink += n * 17;
	sink ^= n;
}

static inline __attribute__((always_inline)) void middle(int n)
{
	sink--;
	innermost(n + 1);
}
#line 2000 "outer.c"
__attribute__((noinline)) void outer(int n)
{
	sink++;
	middle(n);
	sink++;
}

int main(int argc, char **argv)
{
	quiet_helper(argc);
	exported_helper(argc);
	cxx_function(argc);
	rust_function(argc);
	new_rust_function(argc);
	outer(argc);
	puts("ready");
	fflush(stdout);
	return getchar() == 'x';
}
