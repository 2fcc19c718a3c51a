// SPDX-License-Identifier: BSD-2-Clause
#include "palette.h"

#include <math.h>

#include "hash.h"
#include "mem.h"

/* Hues apart in brightness as well, for those who see few colours; each spreads over a range in
 * which its neighbours are not mistaken for it. Saturation and lightness in percent. */
struct band {
	struct palette_entry entry;
	double hue, spread;
	double saturation;
	double lightness; /* of the middle shade, in the light theme */
};

static const struct band kinds[FLAME_KINDS] = {
	[FLAME_USER] = {{"u", "user"}, 36, 22, 86, 68},
	[FLAME_KERNEL] = {{"k", "kernel"}, 268, 22, 72, 80},
	[FLAME_JIT] = {{"j", "JIT"}, 138, 22, 46, 66},
	[FLAME_PYTHON] = {{"p", "Python"}, 320, 18, 56, 79},
	[FLAME_INLINED] = {{"i", "inlined"}, 194, 16, 70, 72},
	[FLAME_TASK] = {{"t", "process"}, 214, 10, 16, 80},
	[FLAME_UNKNOWN] = {{"x", "unknown"}, 40, 20, 5, 77},
};

/* The same colours on a dark ground dazzle. */
#define DIMMED 0.85

#define DIFF_DEGREES 6

static const struct band grew = {{"g", "grew"}, 6, 0, 84, 88};
static const struct band shrank = {{"s", "shrank"}, 214, 0, 80, 88};

static struct rgb from_hsl(double hue, double saturation, double lightness)
{
	double s = saturation / 100, l = lightness / 100, a = s * fmin(l, 1 - l), c[3];
	static const double offset[3] = {0, 8, 4};

	for (int i = 0; i < 3; i++) {
		double k = fmod(offset[i] + hue / 30 + 24, 12);
		c[i] = l - a * fmax(-1, fmin(fmin(k - 3, 9 - k), 1));
	}
	return (struct rgb){(unsigned char)lround(c[0] * 255), (unsigned char)lround(c[1] * 255),
			    (unsigned char)lround(c[2] * 255)};
}

struct rgb palette_fill(enum flame_kind kind, unsigned shade, bool dark)
{
	const struct band *band = &kinds[kind];
	/* Hue and lightness move apart, so that neighbouring shades differ in both. */
	double step = (double)shade / (PALETTE_SHADES - 1) - 0.5;
	double wave = (double)(shade * 3 % PALETTE_SHADES) / (PALETTE_SHADES - 1) - 0.5;

	return from_hsl(band->hue + step * band->spread, band->saturation * (dark ? DIMMED : 1),
			band->lightness * (dark ? DIMMED : 1) + wave * 9);
}

struct rgb palette_text(bool dark)
{
	return dark ? (struct rgb){0x08, 0x08, 0x0a} : (struct rgb){0x1b, 0x1b, 0x1f};
}

const struct palette_entry *palette_kind(enum flame_kind kind)
{
	return &kinds[kind].entry;
}

void palette_class(struct buf *b, const struct flame_node *n)
{
	uint64_t hash = hash_bytes(n->name, n->name_len);

	buf_addf(b, "%s%u", kinds[n->kind].entry.letter, (unsigned)(hash % PALETTE_SHADES));
}

/* Below half a percent of the largest change nothing is said to have changed. */
void palette_diff_class(struct buf *b, double degree)
{
	double size = fabs(degree);
	int step = size < 0.005 ? 0 : (int)ceil(sqrt(fmin(size, 1)) * DIFF_DEGREES);

	if (step)
		buf_addf(b, "%s%d", (degree > 0 ? grew : shrank).entry.letter, step);
	else
		buf_addstr(b, "e0");
}

static void add_rule(struct buf *b, const char *letter, unsigned number, struct rgb c)
{
	buf_addf(b, ".%s%u{fill:#%02x%02x%02x}", letter, number, c.r, c.g, c.b);
}

static void add_kinds(struct buf *b, bool dark)
{
	for (enum flame_kind kind = 0; kind < FLAME_KINDS; kind++)
		for (unsigned shade = 0; shade < PALETTE_SHADES; shade++)
			add_rule(b, kinds[kind].entry.letter, shade,
				 palette_fill(kind, shade, dark));
}

static void add_degrees(struct buf *b, bool dark)
{
	static const struct band *const bands[] = {&grew, &shrank};

	add_rule(b, "e", 0, from_hsl(240, 4, dark ? 74 : 92));
	for (size_t i = 0; i < ARRAY_SIZE(bands); i++)
		for (unsigned step = 1; step <= DIFF_DEGREES; step++) {
			double degree = (double)step / DIFF_DEGREES;
			double saturation = bands[i]->saturation * (dark ? 0.35 + 0.6 * degree : 1);
			double lightness =
				(bands[i]->lightness - 22 * degree) * (dark ? DIMMED : 1);

			add_rule(b, bands[i]->entry.letter, step,
				 from_hsl(bands[i]->hue, saturation, lightness));
		}
}

void palette_css(struct buf *b, bool diff)
{
	for (int dark = 0; dark < 2; dark++) {
		struct rgb text = palette_text(dark);

		if (dark)
			buf_addstr(b, "@media(prefers-color-scheme:dark){");
		(diff ? add_degrees : add_kinds)(b, dark);
		buf_addf(b, ".f text{fill:#%02x%02x%02x}", text.r, text.g, text.b);
		buf_addstr(b, dark ? "}\n" : "\n");
	}
}
