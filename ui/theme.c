// SPDX-License-Identifier: BSD-2-Clause
#include "theme.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

/* Each colour for terminals with 8, with 256 and with all: readable on the background it is meant for. */
struct colour {
	int8_t basic;
	int16_t indexed;
	int32_t rgb;
};

enum hue { HUE_DEFAULT, HUE_GREY, HUE_GREEN, HUE_YELLOW, HUE_RED, HUE_BLUE, HUE_CYAN, HUE_MAGENTA, HUE_BAR, HUE_CURSOR,
	   HUE_ON_BAR, HUE_WARM, HUE_WARM_2, HUE_COLD, HUE_COLD_2, HUE_FRESH, HUE_FRESH_2, HUE_PLAIN, HUE_PLAIN_2, HUE_FOUND,
	   HUE_ON_FLAME, HUES };

static const struct colour dark[HUES] = {
	[HUE_DEFAULT] = {-1, -1, -1},
	[HUE_GREY] = {-1, 245, 0x8a8a8a},
	[HUE_GREEN] = {2, 78, 0x5fd787},
	[HUE_YELLOW] = {3, 220, 0xffd700},
	[HUE_RED] = {1, 203, 0xff5f5f},
	[HUE_BLUE] = {4, 75, 0x5fafff},
	[HUE_CYAN] = {6, 80, 0x5fd7d7},
	[HUE_MAGENTA] = {5, 176, 0xd787d7},
	[HUE_BAR] = {4, 238, 0x444444},
	[HUE_CURSOR] = {6, 24, 0x005f87},
	[HUE_ON_BAR] = {7, 255, 0xeeeeee},
	[HUE_WARM] = {3, 173, 0xd7875f}, [HUE_WARM_2] = {3, 179, 0xd7af5f}, [HUE_COLD] = {6, 110, 0x87afd7},
	[HUE_COLD_2] = {6, 116, 0x87d7d7}, [HUE_FRESH] = {2, 114, 0x87d787}, [HUE_FRESH_2] = {2, 150, 0xafd787},
	[HUE_PLAIN] = {7, 248, 0xa8a8a8}, [HUE_PLAIN_2] = {7, 251, 0xc6c6c6}, [HUE_FOUND] = {5, 176, 0xd787d7},
	[HUE_ON_FLAME] = {0, 16, 0x000000},
};

static const struct colour light[HUES] = {
	[HUE_DEFAULT] = {-1, -1, -1},
	[HUE_GREY] = {-1, 243, 0x767676},
	[HUE_GREEN] = {2, 28, 0x008700},
	[HUE_YELLOW] = {5, 130, 0xaf5f00},
	[HUE_RED] = {1, 160, 0xd70000},
	[HUE_BLUE] = {4, 25, 0x005faf},
	[HUE_CYAN] = {6, 30, 0x008787},
	[HUE_MAGENTA] = {5, 127, 0xaf00af},
	[HUE_BAR] = {4, 252, 0xd0d0d0},
	[HUE_CURSOR] = {6, 153, 0xafd7ff},
	[HUE_ON_BAR] = {7, 234, 0x1c1c1c},
	[HUE_WARM] = {3, 216, 0xffaf87}, [HUE_WARM_2] = {3, 222, 0xffd787}, [HUE_COLD] = {6, 153, 0xafd7ff},
	[HUE_COLD_2] = {6, 159, 0xafffff}, [HUE_FRESH] = {2, 157, 0xafffaf}, [HUE_FRESH_2] = {2, 193, 0xd7ffaf},
	[HUE_PLAIN] = {7, 252, 0xd0d0d0}, [HUE_PLAIN_2] = {7, 254, 0xe4e4e4}, [HUE_FOUND] = {5, 219, 0xffafff},
	[HUE_ON_FLAME] = {0, 16, 0x000000},
};

/* The last column is what is left of a style without colours. */
static const struct {
	enum hue foreground, background;
	unsigned attributes, plain;
} styles[STYLE_COUNT] = {
	[STYLE_DIM] = {HUE_GREY, HUE_DEFAULT, 0, LOOK_DIM},
	[STYLE_STRONG] = {HUE_DEFAULT, HUE_DEFAULT, LOOK_BOLD, LOOK_BOLD},
	[STYLE_HEADER] = {HUE_ON_BAR, HUE_BAR, 0, LOOK_REVERSE},
	[STYLE_SORTED] = {HUE_ON_BAR, HUE_BAR, LOOK_BOLD, LOOK_REVERSE | LOOK_BOLD},
	[STYLE_SELECTED] = {HUE_ON_BAR, HUE_CURSOR, 0, LOOK_REVERSE},
	[STYLE_MATCH] = {HUE_YELLOW, HUE_DEFAULT, LOOK_UNDERLINE, LOOK_UNDERLINE},
	[STYLE_KEY] = {HUE_CYAN, HUE_DEFAULT, LOOK_BOLD, LOOK_BOLD},
	[STYLE_HINT] = {HUE_GREY, HUE_DEFAULT, 0, 0},
	[STYLE_GOOD] = {HUE_GREEN, HUE_DEFAULT, 0, 0},
	[STYLE_WARNING] = {HUE_YELLOW, HUE_DEFAULT, LOOK_BOLD, LOOK_BOLD},
	[STYLE_CRITICAL] = {HUE_RED, HUE_DEFAULT, LOOK_BOLD, LOOK_BOLD | LOOK_REVERSE},
	[STYLE_RUNNING] = {HUE_GREEN, HUE_DEFAULT, 0, 0},
	[STYLE_RUNNABLE] = {HUE_YELLOW, HUE_DEFAULT, 0, 0},
	[STYLE_LOCK] = {HUE_MAGENTA, HUE_DEFAULT, LOOK_BOLD, LOOK_BOLD},
	[STYLE_DISK] = {HUE_RED, HUE_DEFAULT, LOOK_BOLD, LOOK_BOLD},
	[STYLE_MEMORY] = {HUE_BLUE, HUE_DEFAULT, LOOK_BOLD, LOOK_BOLD},
	[STYLE_NETWORK] = {HUE_CYAN, HUE_DEFAULT, LOOK_BOLD, LOOK_BOLD},
	[STYLE_OTHER] = {HUE_GREY, HUE_DEFAULT, 0, 0},
	[STYLE_STOPPED] = {HUE_RED, HUE_DEFAULT, 0, 0},
	[STYLE_SLEEPING] = {HUE_GREY, HUE_DEFAULT, 0, LOOK_DIM},
	[STYLE_USER] = {HUE_GREEN, HUE_DEFAULT, 0, 0},
	[STYLE_SYSTEM] = {HUE_RED, HUE_DEFAULT, 0, 0},
	[STYLE_IRQ] = {HUE_YELLOW, HUE_DEFAULT, 0, 0},
	[STYLE_STEAL] = {HUE_CYAN, HUE_DEFAULT, 0, 0},
	[STYLE_FLAME_USER] = {HUE_ON_FLAME, HUE_WARM, 0, 0},
	[STYLE_FLAME_USER_2] = {HUE_ON_FLAME, HUE_WARM_2, 0, 0},
	[STYLE_FLAME_KERNEL] = {HUE_ON_FLAME, HUE_COLD, 0, 0},
	[STYLE_FLAME_KERNEL_2] = {HUE_ON_FLAME, HUE_COLD_2, 0, 0},
	[STYLE_FLAME_DYNAMIC] = {HUE_ON_FLAME, HUE_FRESH, 0, 0},
	[STYLE_FLAME_DYNAMIC_2] = {HUE_ON_FLAME, HUE_FRESH_2, 0, 0},
	[STYLE_FLAME_TASK] = {HUE_ON_FLAME, HUE_PLAIN, LOOK_BOLD, LOOK_BOLD},
	[STYLE_FLAME_TASK_2] = {HUE_ON_FLAME, HUE_PLAIN_2, LOOK_BOLD, LOOK_BOLD},
	[STYLE_FLAME_UNKNOWN] = {HUE_ON_FLAME, HUE_PLAIN, 0, LOOK_DIM},
	[STYLE_FLAME_UNKNOWN_2] = {HUE_ON_FLAME, HUE_PLAIN_2, 0, LOOK_DIM},
	[STYLE_FLAME_MATCH] = {HUE_ON_FLAME, HUE_FOUND, LOOK_BOLD, LOOK_BOLD | LOOK_UNDERLINE},
};

static int colour_number(const struct colour *c, int colours)
{
	return colours > 256 ? c->rgb : colours == 256 ? c->indexed : c->basic;
}

struct look theme_look(enum style style, int colours, bool is_light)
{
	const struct colour *hues = is_light ? light : dark;

	if (colours < 8)
		return (struct look){-1, -1, styles[style].plain};
	return (struct look){colour_number(&hues[styles[style].foreground], colours),
			     colour_number(&hues[styles[style].background], colours), styles[style].attributes};
}

bool theme_is_light(void)
{
	const char *colours = getenv("COLORFGBG"), *background = colours ? strrchr(colours, ';') : NULL;
	int number = background && background[1] ? atoi(background + 1) : 0;

	return number == 7 || (number >= 9 && number <= 15);
}

char theme_ascii(const char *text)
{
	static const struct {
		const char *text;
		char ascii;
	} own[] = {
		{"█", '#'}, {"▓", '='}, {"▒", '%'}, {"░", '-'}, {"·", '.'}, {"…", '~'}, {"▾", 'v'},
		{"▴", '^'}, {"│", '|'}, {"├", '|'}, {"└", '`'}, {"─", '-'}, {"µ", 'u'}, {"▁", '_'}, {"▂", '_'},
		{"▃", '-'}, {"▄", '-'}, {"▅", '='}, {"▆", '='}, {"▇", '#'},
	};

	if (text[0] >= ' ' && text[0] <= '~')
		return text[0];
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (!strcmp(own[i].text, text))
			return own[i].ascii;
	return '?';
}
