// SPDX-License-Identifier: BSD-2-Clause
#include "answer.h"

#include <string.h>

#include "demangle.h"

/* One answer always fits into an empty packet: what would not is left out, from the outer end. */
#define ANSWER_MAX (PACKET_MAX / 2)

void answer_begin(struct answer *a, struct packet *packet, enum record_type type, uint32_t sequence)
{
	struct record_answer record = {.head.type = type, .sequence = sequence};

	*a = (struct answer){.packet = packet, .begin = packet->data.len};
	buf_add(&packet->data, &record, sizeof(record));
}

void answer_add(struct answer *a, const struct found *f)
{
	struct buf *b = &a->packet->data;
	struct answer_symbol symbol = {
		.start = f->start, .size = f->size, .line = f->line, .inlined = f->inlined};
	size_t at = b->len, file_len = f->file ? strnlen(f->file, NAME_MAX_BYTES) : 0;

	if (a->count == ANSWER_SYMBOLS ||
	    at - a->begin + sizeof(symbol) + 2 * NAME_MAX_BYTES + 16 > ANSWER_MAX)
		return;
	buf_add(b, &symbol, sizeof(symbol));
	demangle(b, f->name, f->name_len);
	symbol.name_len = (uint16_t)(b->len - at - sizeof(symbol));
	symbol.file_len = (uint16_t)file_len;
	if (file_len)
		buf_add(b, f->file, file_len);
	memcpy(b->data + at, &symbol, sizeof(symbol));
	record_pad(b, b->len);
	a->count++;
}

void answer_end(struct answer *a)
{
	struct buf *b = &a->packet->data;
	struct record_answer record;

	memcpy(&record, b->data + a->begin, sizeof(record));
	record.head.size = (uint32_t)(b->len - a->begin);
	record.count = a->count;
	memcpy(b->data + a->begin, &record, sizeof(record));
}
