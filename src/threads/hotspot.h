/* SPDX-License-Identifier: BSD-2-Clause */
/* A Java virtual machine as it describes itself: libjvm exports where its structures keep what (gHotSpotVMStructs), for
 * debuggers, also when it is stripped. Tried with 17 and 25; what a version lacks is HOTSPOT_LACKING. */
#pragma once
#include "space.h"

enum hotspot_place {
	/* Addresses. */
	HOTSPOT_THREAD_LIST, HOTSPOT_OOP_BASE, HOTSPOT_OOP_SHIFT, HOTSPOT_CLASS_BASE, HOTSPOT_CLASS_SHIFT, HOTSPOT_FLAGS,
	HOTSPOT_FLAG_COUNT,
	/* Offsets. */
	HOTSPOT_LIST_LENGTH, HOTSPOT_LIST_THREADS,
	HOTSPOT_THREAD_OS, HOTSPOT_OS_ID, HOTSPOT_THREAD_OBJECT, HOTSPOT_THREAD_PENDING, HOTSPOT_THREAD_NUMBER, HOTSPOT_THREAD_LOCKS,
	HOTSPOT_LOCKS_TOP, HOTSPOT_LOCKS_BASE,
	HOTSPOT_MONITOR_OBJECT, HOTSPOT_MONITOR_OWNER,
	HOTSPOT_OBJECT_MARK, HOTSPOT_OBJECT_CLASS,
	HOTSPOT_CLASS_NAME, HOTSPOT_CLASS_SUPER, HOTSPOT_CLASS_CONSTANTS, HOTSPOT_CLASS_FIELDS, HOTSPOT_CLASS_FIELD_STREAM,
	HOTSPOT_SYMBOL_LENGTH, HOTSPOT_SYMBOL_BODY,
	HOTSPOT_FLAG_NAME, HOTSPOT_FLAG_ADDRESS,
	/* Sizes. */
	HOTSPOT_CONSTANTS_SIZE, HOTSPOT_FLAG_SIZE,
	/* Constants. */
	HOTSPOT_MARK_CLASS_SHIFT,
	HOTSPOT_PLACES,
};

#define HOTSPOT_LACKING UINT64_MAX

struct hotspot {
	const struct space *space;
	uint64_t at[HOTSPOT_PLACES];
	bool handles; /* threads and monitors refer to objects by handles */
	bool small_oops, small_classes, small_headers;
	uint64_t oop_base, class_base;
	uint32_t oop_shift, class_shift;
};

/* False: no such machine runs there, or it does not tell enough. */
bool hotspot_open(struct hotspot *h, const struct space *s);

/* What the word at address + place holds; 0 when it cannot be read. */
uint64_t hotspot_word(const struct hotspot *h, uint64_t address, enum hotspot_place place);
uint32_t hotspot_half(const struct hotspot *h, uint64_t address, enum hotspot_place place);

/* Objects, in hotspot_object.c. Addresses; 0: none, or unreadable. */
uint64_t hotspot_handle(const struct hotspot *h, uint64_t address, enum hotspot_place place); /* what a root there refers to */
uint64_t hotspot_class(const struct hotspot *h, uint64_t object);
/* "java/lang/Thread", cut where it does not fit; false: it cannot be read. */
bool hotspot_class_name(const struct hotspot *h, uint64_t class_, char *ret, size_t size);
/* The class of that name that this one is or inherits from. */
uint64_t hotspot_super(const struct hotspot *h, uint64_t class_, const char *name);
/* Where objects of the class keep the field that it declares itself; 0: it has none. */
uint32_t hotspot_field(const struct hotspot *h, uint64_t class_, const char *name);
uint64_t hotspot_reference(const struct hotspot *h, uint64_t object, uint32_t offset);
