// SPDX-License-Identifier: BSD-2-Clause
#include "svg.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "amount.h"
#include "buf.h"
#include "escape.h"
#include "fail.h"
#include "io.h"
#include "mem.h"
#include "palette.h"
#include "view.h"

/* The script lays out anew with the same measures; it reads ROW and TOP from the root element. */
#define ROW 18
#define TOP 100
#define BOTTOM 12
#define MARGIN 10
#define CHARACTER 7.25 /* px, of the monospaced font at its size in flame.css */
#define FLUSH_BYTES (256u << 10)

extern const char flame_css[];
extern const unsigned long flame_css_size;
extern const char flame_js[];
extern const unsigned long flame_js_size;

struct drawing {
	struct buf out;
	struct buf text; /* scratch */
	const struct flame_view *view;
	struct flame_svg_options o;
	double *left;       /* of each node, in units of value */
	double *next;       /* where its next child starts */
	double largest_change; /* of any node's value */
	bool diff;
	int fd;
	int error;
};

static void drawing_done(struct drawing *d)
{
	buf_done(&d->out);
	buf_done(&d->text);
	free(d->left);
	free(d->next);
}

static void flush(struct drawing *d, size_t at_least)
{
	if (d->out.len < at_least || d->error < 0)
		return;
	d->error = write_all(d->fd, d->out.data, d->out.len);
	buf_reset(&d->out);
}

static double share(double value, double total)
{
	return total > 0 ? value / total : 0;
}

/* Escaped, on one line. */
static void add_line(struct drawing *d, const char *text, size_t len)
{
	buf_reset(&d->text);
	buf_add(&d->text, text, len);
	for (size_t i = 0; i < len; i++)
		if (strchr("\n\r\t", text[i]) && text[i])
			d->text.data[i] = ' ';
	escape_xml(&d->out, d->text.data, len);
}

static void add_name(struct drawing *d, const struct flame_node *n)
{
	if (n->name_len)
		add_line(d, n->name, n->name_len);
	else
		buf_addstr(&d->out, "[unnamed]");
}

/* The part of a name that fits; wide scripts take two cells. */
static size_t fitting(const struct flame_node *n, unsigned cells, bool *ret_all)
{
	size_t at = 0, fits = 0;
	unsigned used = 0, code;

	while (at < n->name_len) {
		size_t len = utf8_decode(n->name + at, n->name_len - at, &code);

		used += code >= 0x1100 ? 2 : 1;
		if (used > cells)
			break;
		at += len;
		if (used < cells)
			fits = at; /* a cell is left for the dots */
	}
	*ret_all = at == n->name_len;
	return *ret_all ? at : fits;
}

static double row_y(const struct drawing *d, const struct flame_node *n)
{
	return TOP + (d->o.inverted ? n->depth : d->view->depth - n->depth) * ROW;
}

static void add_number(struct buf *b, const char *name, double value)
{
	buf_addf(b, value == floor(value) ? " data-%s=\"%.0f\"" : " data-%s=\"%.9g\"", name, value);
}

/* " data-s=..." where it does not follow from the callees that are shown. */
static void add_self(struct drawing *d, const struct flame_node *n)
{
	const struct flame_view *v = d->view;
	double callees = 0;

	for (uint32_t c = (uint32_t)(n - v->nodes) + 1; c < n->end; c = v->nodes[c].end)
		callees += v->nodes[c].value;
	if (fabs(n->value - callees - n->self) > n->value * 1e-9)
		add_number(&d->out, "s", n->self);
}

static void add_delta(struct buf *b, double points)
{
	buf_addf(b, "%+.2f", points);
}

static void add_diff_title(struct drawing *d, const struct flame_node *n)
{
	double total = d->view->total;
	double before = total > 0 ? share(n->base, total) : share(n->base, d->view->base_total);

	buf_addf(&d->out, "\nbefore %.2f %%, after %.2f %%: ", before * 100,
		 share(n->value, total) * 100);
	add_delta(&d->out, (share(n->value, total) - before) * 100);
	buf_addstr(&d->out, " points");
}

static void add_title(struct drawing *d, const struct flame_node *n)
{
	const struct flame_node *parent = &d->view->nodes[n->parent];

	buf_addstr(&d->out, "<title>");
	add_name(d, n);
	buf_addstr(&d->out, "\n");
	buf_reset(&d->text);
	amount_add(&d->text, n->value, d->o.unit);
	escape_xml(&d->out, d->text.data, d->text.len);
	buf_addf(&d->out, ", %.2f %% of all", share(n->value, d->view->total) * 100);
	if (n->depth)
		buf_addf(&d->out, ", %.2f %% of caller", share(n->value, parent->value) * 100);
	if (d->diff)
		add_diff_title(d, n);
	buf_addstr(&d->out, "</title>");
}

/* Positions in percent let the still picture, too, grow with whatever shows it. */
static void add_shape(struct drawing *d, const struct flame_node *n, double left)
{
	double margin = 100.0 * MARGIN / d->o.width, room = 100 - 2 * margin, y = row_y(d, n);
	double x = margin + share(left, d->view->total) * room;
	double width = share(n->value, d->view->total) * room;
	double pixels = width / 100 * d->o.width;
	double gap = pixels > 3 ? 60.0 / d->o.width : 0;
	bool all;

	buf_addf(&d->out, "<rect x=\"%.4f%%\" y=\"%.0f\" width=\"%.4f%%\" height=\"%d\"/>", x, y,
		 width - gap, ROW - 1);
	size_t len = pixels > 24 ? fitting(n, (unsigned)((pixels - 6) / CHARACTER), &all) : 0;
	if (!len)
		return;
	buf_addf(&d->out, "<text x=\"%.4f%%\" dx=\"3\" y=\"%.0f\">", x, y + 13);
	add_line(d, n->name, len);
	buf_addstr(&d->out, all ? "</text>" : "\xe2\x80\xa6</text>");
}

static void add_frame(struct drawing *d, uint32_t i)
{
	const struct flame_node *n = &d->view->nodes[i];

	d->left[i] = i ? d->next[n->parent] : 0;
	d->next[i] = d->left[i];
	if (i)
		d->next[n->parent] += n->value;
	buf_addstr(&d->out, "<g class=\"");
	if (d->diff)
		palette_diff_class(&d->out, share(n->value - n->base, d->largest_change));
	else
		palette_class(&d->out, n);
	buf_addf(&d->out, "\" data-d=\"%u\"", n->depth);
	add_number(&d->out, "v", n->value);
	if (d->diff)
		add_number(&d->out, "b", n->base);
	add_self(d, n);
	buf_addstr(&d->out, n->value > 0 ? ">" : " style=\"display:none\">");
	add_title(d, n);
	add_shape(d, n, d->left[i]);
	buf_addstr(&d->out, "</g>\n");
	flush(d, FLUSH_BYTES);
}

static void add_swatch(struct drawing *d, double *x, const char *class_name, const char *label)
{
	buf_addf(&d->out,
		 "<rect class=\"%s\" x=\"%.0f\" y=\"59\" width=\"12\" height=\"12\"/>"
		 "<text x=\"%.0f\" y=\"69\">%s</text>",
		 class_name, *x, *x + 17, label);
	*x += 17 + 7.0 * (double)strlen(label) + 12;
}

/* Only what the picture contains. */
static void add_legend(struct drawing *d)
{
	bool seen[FLAME_KINDS] = {false};
	double x = 12;

	buf_addstr(&d->out, "<g class=\"legend\">");
	if (d->diff) {
		add_swatch(d, &x, "g6", "grew");
		add_swatch(d, &x, "s6", "shrank");
		add_swatch(d, &x, "e0", "as before");
	}
	for (uint32_t i = 1; i < d->view->count && !d->diff; i++)
		seen[d->view->nodes[i].kind] = true;
	for (enum flame_kind kind = 0; kind < FLAME_KINDS; kind++) {
		char name[8];

		if (!seen[kind])
			continue;
		snprintf(name, sizeof(name), "%s3", palette_kind(kind)->letter);
		add_swatch(d, &x, name, palette_kind(kind)->label);
	}
	buf_addstr(&d->out, "</g>");
}

static void add_subtitle(struct drawing *d)
{
	const struct flame_view *v = d->view;

	if (d->o.subtitle) {
		add_line(d, d->o.subtitle, strlen(d->o.subtitle));
		buf_addstr(&d->out, " \xc2\xb7 ");
	}
	buf_reset(&d->text);
	if (d->diff) {
		amount_add(&d->text, v->base_total, d->o.unit);
		buf_addstr(&d->text, " before, ");
	}
	amount_add(&d->text, v->total, d->o.unit);
	if (d->diff)
		buf_addstr(&d->text, " after; widths are shares");
	if (v->cut)
		buf_addf(&d->text,
			 " \xc2\xb7 too much to draw: only the largest %u frames are shown",
			 v->count);
	escape_xml(&d->out, d->text.data, d->text.len);
}

static void add_attribute(struct drawing *d, const char *name, const char *value)
{
	buf_addf(&d->out, " data-%s=\"", name);
	add_line(d, value, strlen(value));
	buf_addch(&d->out, '"');
}

static void add_root(struct drawing *d)
{
	unsigned height = TOP + (d->view->depth + 1) * ROW + BOTTOM;

	buf_addf(&d->out,
		 "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		 "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" "
		 "class=\"flame\" role=\"img\" aria-label=\"",
		 d->o.width, height);
	add_line(d, d->o.title, strlen(d->o.title));
	buf_addf(&d->out,
		 "\" data-row=\"%d\" data-top=\"%d\" data-bottom=\"%d\" data-margin=\"%d\"", ROW,
		 TOP, BOTTOM, MARGIN);
	add_number(&d->out, "base-total", d->view->base_total);
	if (d->o.inverted)
		add_attribute(d, "inverted", "1");
	if (d->o.search)
		add_attribute(d, "search", d->o.search);
	_cleanup_(buf_done) struct buf scales = BUF_INIT;
	amount_add_scales(&scales, d->o.unit);
	add_attribute(d, "scales", scales.data);
	buf_addstr(&d->out, ">\n");
}

static void add_head(struct drawing *d)
{
	add_root(d);
	buf_addstr(&d->out, "<style><![CDATA[\n");
	buf_add(&d->out, flame_css, flame_css_size);
	palette_css(&d->out, d->diff);
	buf_addstr(&d->out, "]]></style>\n"
			    "<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n"
			    "<g class=\"f\">\n");
}

/* Behind the frames, so that it covers those that scroll below it. */
static void add_header(struct drawing *d)
{
	buf_addf(&d->out,
		 "</g>\n<g class=\"head\"><rect class=\"paper\" width=\"100%%\" height=\"%d\"/>"
		 "<text class=\"title\" x=\"12\" y=\"26\">",
		 TOP - 4);
	add_line(d, d->o.title, strlen(d->o.title));
	buf_addstr(&d->out, "</text><text x=\"12\" y=\"47\">");
	add_subtitle(d);
	buf_addstr(&d->out, "</text>");
	add_legend(d);
	buf_addstr(&d->out, "</g>\n<script><![CDATA[\n");
	buf_add(&d->out, flame_js, flame_js_size);
	buf_addstr(&d->out, "]]></script>\n</svg>\n");
}

static void find_largest_change(struct drawing *d)
{
	for (uint32_t i = 0; i < d->view->count; i++)
		d->largest_change = fmax(d->largest_change,
					 fabs(d->view->nodes[i].value - d->view->nodes[i].base));
}

static void draw(struct drawing *d)
{
	d->left = xcalloc(d->view->count, sizeof(*d->left));
	d->next = xcalloc(d->view->count, sizeof(*d->next));
	d->diff = d->view->base_total > 0;
	find_largest_change(d);
	add_head(d);
	for (uint32_t i = 0; i < d->view->count; i++)
		add_frame(d, i);
	add_header(d);
	flush(d, 0);
}

int flame_write_svg(const struct flame *f, const struct flame_svg_options *options, int fd)
{
	_cleanup_(drawing_done) struct drawing d = {
		.out = BUF_INIT, .text = BUF_INIT, .o = *options, .fd = fd};

	if (!(flame_total(f, FLAME_NEW) > 0))
		return failx(-EINVAL, "there is nothing to draw: no stack counts");
	d.o.title = d.o.title ? d.o.title : "Flame graph";
	d.o.unit = d.o.unit ? d.o.unit : "samples";
	d.o.width = d.o.width > 4 * MARGIN ? d.o.width : 1200;
	struct flame_limits limits = {
		.min_share = (d.o.min_width > 0 ? d.o.min_width : 0.1) / (d.o.width - 2 * MARGIN),
		.max_frames = d.o.max_frames ? d.o.max_frames : 40000,
		.max_depth = d.o.max_depth ? d.o.max_depth : 2000,
	};
	_cleanup_(flame_view_freep) struct flame_view *v = flame_view_new(f, &limits);

	d.view = v;
	draw(&d);
	return d.error;
}
