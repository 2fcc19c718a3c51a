// SPDX-License-Identifier: BSD-2-Clause
#include "hotspot.h"

#include <stdlib.h>
#include <string.h>

#include "image.h"
#include "mem.h"

enum {
	MOST_ENTRIES = 1 << 14, /* of one table; there are some 3,500 */
	MOST_ENTRY = 128,       /* bytes of one */
	MOST_TEXT = 32 << 20,
	MOST_FLAGS = 1 << 13,
};

/* One that several versions call differently has a row for each. */
struct row {
	enum hotspot_place place;
	const char *type, *field;
};

static const struct row fields[] = {
	{HOTSPOT_THREAD_LIST, "ThreadsSMRSupport", "_java_thread_list"},
	{HOTSPOT_LIST_LENGTH, "ThreadsList", "_length"},
	{HOTSPOT_LIST_THREADS, "ThreadsList", "_threads"},
	{HOTSPOT_THREAD_OS, "JavaThread", "_osthread"},
	{HOTSPOT_THREAD_OS, "Thread", "_osthread"},
	{HOTSPOT_OS_ID, "OSThread", "_thread_id"},
	{HOTSPOT_THREAD_OBJECT, "JavaThread", "_threadObj"},
	{HOTSPOT_THREAD_PENDING, "JavaThread", "_current_pending_monitor"},
	{HOTSPOT_THREAD_PENDING, "Thread", "_current_pending_monitor"},
	{HOTSPOT_THREAD_NUMBER, "JavaThread", "_monitor_owner_id"},
	{HOTSPOT_THREAD_NUMBER, "JavaThread", "_lock_id"},
	{HOTSPOT_THREAD_LOCKS, "JavaThread", "_lock_stack"},
	{HOTSPOT_LOCKS_TOP, "LockStack", "_top"},
	{HOTSPOT_LOCKS_BASE, "LockStack", "_base[0]"},
	{HOTSPOT_MONITOR_OBJECT, "ObjectMonitor", "_object"},
	{HOTSPOT_MONITOR_OWNER, "ObjectMonitor", "_owner"},
	{HOTSPOT_OBJECT_MARK, "oopDesc", "_mark"},
	{HOTSPOT_OBJECT_CLASS, "oopDesc", "_metadata._klass"},
	{HOTSPOT_CLASS_NAME, "Klass", "_name"},
	{HOTSPOT_CLASS_SUPER, "Klass", "_super"},
	{HOTSPOT_CLASS_CONSTANTS, "InstanceKlass", "_constants"},
	{HOTSPOT_CLASS_FIELDS, "InstanceKlass", "_fields"},
	{HOTSPOT_CLASS_FIELD_STREAM, "InstanceKlass", "_fieldinfo_stream"},
	{HOTSPOT_SYMBOL_LENGTH, "Symbol", "_length"},
	{HOTSPOT_SYMBOL_BODY, "Symbol", "_body[0]"},
	{HOTSPOT_OOP_BASE, "CompressedOops", "_base"},
	{HOTSPOT_OOP_BASE, "CompressedOops", "_narrow_oop._base"},
	{HOTSPOT_OOP_BASE, "Universe", "_narrow_oop._base"},
	{HOTSPOT_OOP_SHIFT, "CompressedOops", "_shift"},
	{HOTSPOT_OOP_SHIFT, "CompressedOops", "_narrow_oop._shift"},
	{HOTSPOT_OOP_SHIFT, "Universe", "_narrow_oop._shift"},
	{HOTSPOT_CLASS_BASE, "CompressedKlassPointers", "_base"},
	{HOTSPOT_CLASS_BASE, "CompressedKlassPointers", "_narrow_klass._base"},
	{HOTSPOT_CLASS_BASE, "Universe", "_narrow_klass._base"},
	{HOTSPOT_CLASS_SHIFT, "CompressedKlassPointers", "_shift"},
	{HOTSPOT_CLASS_SHIFT, "CompressedKlassPointers", "_narrow_klass._shift"},
	{HOTSPOT_CLASS_SHIFT, "Universe", "_narrow_klass._shift"},
	{HOTSPOT_FLAGS, "JVMFlag", "flags"},
	{HOTSPOT_FLAG_COUNT, "JVMFlag", "numFlags"},
	{HOTSPOT_FLAG_NAME, "JVMFlag", "_name"},
	{HOTSPOT_FLAG_ADDRESS, "JVMFlag", "_addr"},
};

static const struct row sizes[] = {
	{HOTSPOT_CONSTANTS_SIZE, "ConstantPool", NULL},
	{HOTSPOT_FLAG_SIZE, "JVMFlag", NULL},
};

static const struct row constants[] = {
	{HOTSPOT_MARK_CLASS_SHIFT, "markWord::klass_shift", NULL},
};

/* A table of the machine's: entries of the same size, the last one without a name. Where in an entry its parts are is said by
 * other symbols. */
struct table {
	const char *symbol, *entry;
	const char *parts[5]; /* its name, what follows the name, value, another value instead of it if set, a type */
	const struct row *rows;
	size_t row_count;
};

enum { NAME, SECOND, VALUE, ADDRESS, TYPE };

static const struct table tables[] = {
	{"gHotSpotVMStructs", "gHotSpotVMStructEntry", {"TypeName", "FieldName", "Offset", "Address", "TypeString"}, fields,
	 ARRAY_SIZE(fields)},
	{"gHotSpotVMTypes", "gHotSpotVMTypeEntry", {"TypeName", NULL, "Size"}, sizes, ARRAY_SIZE(sizes)},
	{"gHotSpotVMLongConstants", "gHotSpotVMLongConstantEntry", {"Name", NULL, "Value"}, constants, ARRAY_SIZE(constants)},
};

struct reading {
	struct hotspot *h;
	const struct space_mapping *image;
	const struct table *table;
	uint64_t offsets[ARRAY_SIZE(tables->parts)], stride;
	unsigned char *entries;
	size_t count;
	char *text; /* all names */
	uint64_t text_start, text_end;
};

static void reading_done(struct reading *x)
{
	free(x->entries);
	free(x->text);
}

static bool exported(const struct reading *x, const char *name, const char *part, const char *suffix, uint64_t *ret)
{
	char symbol[96];

	snprintf(symbol, sizeof(symbol), "%s%s%s", name, part, suffix);
	uint64_t at = image_symbol(x->h->space, x->image, symbol);
	return at && space_read_all(x->h->space, at, ret, sizeof(*ret));
}

static uint64_t part(const struct reading *x, size_t entry, unsigned which)
{
	uint64_t value = 0;

	if (x->table->parts[which])
		memcpy(&value, x->entries + entry * x->stride + x->offsets[which], sizeof(value));
	return value;
}

static const char *text_at(const struct reading *x, uint64_t address)
{
	return address >= x->text_start && address < x->text_end ? x->text + (address - x->text_start) : "";
}

static bool read_entries(struct reading *x)
{
	uint64_t start;

	if (!exported(x, x->table->symbol, "", "", &start) || !exported(x, x->table->entry, "ArrayStride", "", &x->stride) ||
	    x->stride < sizeof(uint64_t) || x->stride > MOST_ENTRY)
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(x->offsets); i++)
		if (x->table->parts[i] && (!exported(x, x->table->entry, x->table->parts[i], "Offset", &x->offsets[i]) ||
					   x->offsets[i] > x->stride - sizeof(uint64_t)))
			return false;
	x->entries = xcalloc(MOST_ENTRIES, x->stride);
	x->count = space_read(x->h->space, start, x->entries, MOST_ENTRIES * x->stride) / x->stride;
	for (size_t i = 0; i < x->count; i++)
		if (!part(x, i, NAME))
			x->count = i;
	return x->count;
}

/* The names lie close to each other: all are read at once. */
static bool read_text(struct reading *x)
{
	enum { LONGEST = 256 };

	x->text_start = UINT64_MAX;
	for (size_t i = 0; i < x->count; i++)
		for (unsigned n = NAME; n <= SECOND; n++) {
			uint64_t at = part(x, i, n);

			x->text_start = at && at < x->text_start ? at : x->text_start;
			x->text_end = at > x->text_end ? at : x->text_end;
		}
	uint64_t len = x->text_end - x->text_start + LONGEST;
	if (len > MOST_TEXT)
		return false;
	x->text = xcalloc(len + 1, 1);
	len = space_read(x->h->space, x->text_start, x->text, len);
	x->text_end = x->text_start + len;
	return len;
}

static bool is_handle(const struct reading *x, size_t entry)
{
	char type[sizeof("OopHandle")] = "";

	return space_read_all(x->h->space, part(x, entry, TYPE), type, sizeof(type)) && !memcmp(type, "OopHandle", sizeof(type));
}

static void take_entry(struct reading *x, size_t entry)
{
	const char *name = text_at(x, part(x, entry, NAME)), *second = text_at(x, part(x, entry, SECOND));

	for (size_t i = 0; i < x->table->row_count; i++) {
		const struct row *row = &x->table->rows[i];
		uint64_t address = part(x, entry, ADDRESS);

		if (strcmp(row->type, name) || (row->field && strcmp(row->field, second)))
			continue;
		x->h->at[row->place] = address ? address : part(x, entry, VALUE);
		if (row->place == HOTSPOT_THREAD_OBJECT)
			x->h->handles = is_handle(x, entry);
	}
}

static bool read_table(struct hotspot *h, const struct space_mapping *image, const struct table *table)
{
	_cleanup_(reading_done) struct reading x = {.h = h, .image = image, .table = table};

	if (!read_entries(&x) || !read_text(&x))
		return false;
	for (size_t i = 0; i < x.count; i++)
		take_entry(&x, i);
	return true;
}

uint64_t hotspot_word(const struct hotspot *h, uint64_t address, enum hotspot_place place)
{
	uint64_t value;

	return h->at[place] != HOTSPOT_LACKING && space_read_all(h->space, address + h->at[place], &value, sizeof(value)) ? value : 0;
}

uint32_t hotspot_half(const struct hotspot *h, uint64_t address, enum hotspot_place place)
{
	uint32_t value;

	return h->at[place] != HOTSPOT_LACKING && space_read_all(h->space, address + h->at[place], &value, sizeof(value)) ? value : 0;
}

/* How the machine was started; a flag that this version does not have is off. */
static void read_flags(struct hotspot *h)
{
	struct {
		const char *name;
		bool *on;
	} wanted[] = {{"UseCompressedOops", &h->small_oops},
		      {"UseCompressedClassPointers", &h->small_classes},
		      {"UseCompactObjectHeaders", &h->small_headers}};
	uint64_t flag = hotspot_word(h, 0, HOTSPOT_FLAGS), count = hotspot_word(h, 0, HOTSPOT_FLAG_COUNT);

	for (uint64_t i = 0; i < count && i < MOST_FLAGS; i++, flag += h->at[HOTSPOT_FLAG_SIZE]) {
		char name[32] = "";

		space_read(h->space, hotspot_word(h, flag, HOTSPOT_FLAG_NAME), name, sizeof(name) - 1);
		for (size_t k = 0; k < ARRAY_SIZE(wanted); k++)
			if (!strcmp(wanted[k].name, name))
				space_read_all(h->space, hotspot_word(h, flag, HOTSPOT_FLAG_ADDRESS), wanted[k].on, 1);
	}
}

bool hotspot_open(struct hotspot *h, const struct space *s)
{
	const struct space_mapping *image = image_find(s, "libjvm.so");

	*h = (struct hotspot){.space = s};
	for (size_t i = 0; i < ARRAY_SIZE(h->at); i++)
		h->at[i] = HOTSPOT_LACKING;
	for (size_t i = 0; image && i < ARRAY_SIZE(tables); i++)
		if (!read_table(h, image, &tables[i]))
			return false;
	if (h->at[HOTSPOT_THREAD_LIST] == HOTSPOT_LACKING || h->at[HOTSPOT_FLAG_SIZE] == HOTSPOT_LACKING)
		return false;
	read_flags(h);
	h->oop_base = hotspot_word(h, 0, HOTSPOT_OOP_BASE);
	h->oop_shift = hotspot_half(h, 0, HOTSPOT_OOP_SHIFT) & 63;
	h->class_base = hotspot_word(h, 0, HOTSPOT_CLASS_BASE);
	h->class_shift = hotspot_half(h, 0, HOTSPOT_CLASS_SHIFT) & 63;
	return true;
}
