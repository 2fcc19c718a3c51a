// SPDX-License-Identifier: BSD-2-Clause
#include "hotspot.h"

#include <string.h>

enum {
	MOST_SUPERS = 64,
	MOST_FIELDS = 4096,
	FIELD_WORDS = 6, /* of 16 bits, before version 21: access flags, name, signature, value, offset low, offset high */
	FIELD_INTERNAL = 0x400,
	OFFSET_TAG_BITS = 2,
	STREAM_BYTES = 16 << 10,
};

uint64_t hotspot_handle(const struct hotspot *h, uint64_t address, enum hotspot_place place)
{
	uint64_t object, at = hotspot_word(h, address, place);

	if (!h->handles)
		return at;
	return at && space_read_all(h->space, at, &object, sizeof(object)) ? object : 0;
}

uint64_t hotspot_class(const struct hotspot *h, uint64_t object)
{
	if (!object)
		return 0;
	if (h->small_headers && h->at[HOTSPOT_MARK_CLASS_SHIFT] < 64)
		return h->class_base + (hotspot_word(h, object, HOTSPOT_OBJECT_MARK) >> h->at[HOTSPOT_MARK_CLASS_SHIFT]
					<< h->class_shift);
	if (h->small_classes)
		return h->class_base + ((uint64_t)hotspot_half(h, object, HOTSPOT_OBJECT_CLASS) << h->class_shift);
	return hotspot_word(h, object, HOTSPOT_OBJECT_CLASS);
}

static bool read_symbol(const struct hotspot *h, uint64_t symbol, char *ret, size_t size)
{
	uint16_t len;

	if (!symbol || !space_read_all(h->space, symbol + h->at[HOTSPOT_SYMBOL_LENGTH], &len, sizeof(len)))
		return false;
	if (len > size - 1)
		len = (uint16_t)(size - 1);
	ret[len] = 0;
	return space_read_all(h->space, symbol + h->at[HOTSPOT_SYMBOL_BODY], ret, len);
}

bool hotspot_class_name(const struct hotspot *h, uint64_t class_, char *ret, size_t size)
{
	return class_ && read_symbol(h, hotspot_word(h, class_, HOTSPOT_CLASS_NAME), ret, size);
}

uint64_t hotspot_super(const struct hotspot *h, uint64_t class_, const char *name)
{
	char text[128];

	for (int i = 0; i < MOST_SUPERS && hotspot_class_name(h, class_, text, sizeof(text)); i++) {
		if (!strcmp(text, name))
			return class_;
		class_ = hotspot_word(h, class_, HOTSPOT_CLASS_SUPER);
	}
	return 0;
}

static bool is_named(const struct hotspot *h, uint64_t constants, uint32_t index, const char *name)
{
	char text[64];
	uint64_t symbol;

	return space_read_all(h->space, constants + h->at[HOTSPOT_CONSTANTS_SIZE] + 8 * (uint64_t)index, &symbol, sizeof(symbol)) &&
	       read_symbol(h, symbol, text, sizeof(text)) && !strcmp(text, name);
}

/* Arrays of the machine's begin with a 32-bit length. */
static uint32_t field_in_words(const struct hotspot *h, uint64_t fields, uint64_t constants, const char *name)
{
	uint16_t words[FIELD_WORDS];
	uint32_t count;

	if (!space_read_all(h->space, fields, &count, sizeof(count)))
		return 0;
	for (uint32_t i = 0; i < count / FIELD_WORDS && i < MOST_FIELDS; i++)
		if (space_read_all(h->space, fields + sizeof(count) + i * sizeof(words), words, sizeof(words)) &&
		    !(words[0] & FIELD_INTERNAL) && is_named(h, constants, words[1], name))
			return ((uint32_t)words[5] << 16 | words[4]) >> OFFSET_TAG_BITS;
	return 0;
}

struct stream {
	uint8_t bytes[STREAM_BYTES];
	size_t len, at;
};

/* Numbers in one to five bytes, none of them 0; those of 192 and more go on. */
static uint32_t next(struct stream *s)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < 5 && s->at < s->len; i++) {
		uint32_t byte = s->bytes[s->at++];

		sum += (byte - 1) << 6 * i;
		if (byte < 192)
			break;
	}
	return sum;
}

static uint32_t field_in_stream(const struct hotspot *h, uint64_t fields, uint64_t constants, const char *name)
{
	enum { INITIALIZED = 1, INJECTED = 2, GENERIC = 4, CONTENDED = 16 };
	struct stream s = {0};
	uint32_t len;

	if (!space_read_all(h->space, fields, &len, sizeof(len)))
		return 0;
	s.len = space_read(h->space, fields + sizeof(len), s.bytes, len < sizeof(s.bytes) ? len : sizeof(s.bytes));
	uint32_t count = next(&s);
	next(&s); /* how many the machine has added */
	for (uint32_t i = 0; i < count && s.at < s.len; i++) {
		uint32_t index = next(&s);
		next(&s); /* signature */
		uint32_t offset = next(&s);
		next(&s); /* access flags */
		uint32_t flags = next(&s);

		for (uint32_t more = flags & (INITIALIZED | GENERIC | CONTENDED); more; more &= more - 1)
			next(&s);
		if (!(flags & INJECTED) && is_named(h, constants, index, name))
			return offset;
	}
	return 0;
}

uint32_t hotspot_field(const struct hotspot *h, uint64_t class_, const char *name)
{
	uint64_t constants = class_ ? hotspot_word(h, class_, HOTSPOT_CLASS_CONSTANTS) : 0;

	if (!constants)
		return 0;
	if (h->at[HOTSPOT_CLASS_FIELD_STREAM] != HOTSPOT_LACKING)
		return field_in_stream(h, hotspot_word(h, class_, HOTSPOT_CLASS_FIELD_STREAM), constants, name);
	return field_in_words(h, hotspot_word(h, class_, HOTSPOT_CLASS_FIELDS), constants, name);
}

uint64_t hotspot_reference(const struct hotspot *h, uint64_t object, uint32_t offset)
{
	uint64_t value = 0;

	if (!object || !offset || !space_read_all(h->space, object + offset, &value, h->small_oops ? 4 : 8) || !value)
		return 0;
	return h->small_oops ? h->oop_base + (value << h->oop_shift) : value;
}
