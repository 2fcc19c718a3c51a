/* SPDX-License-Identifier: BSD-2-Clause */
/* What the user did: a character, a key without one, or the mouse. */
#pragma once

enum {
	UI_KEY_ESCAPE = 27,
	UI_KEY_ENTER = '\n',
	UI_KEY_FIRST = 0x110000, /* behind all characters */
	UI_KEY_UP = UI_KEY_FIRST,
	UI_KEY_DOWN,
	UI_KEY_LEFT,
	UI_KEY_RIGHT,
	UI_KEY_PAGE_UP,
	UI_KEY_PAGE_DOWN,
	UI_KEY_HOME,
	UI_KEY_END,
	UI_KEY_BACKSPACE,
	UI_KEY_F1,
	UI_KEY_F3 = UI_KEY_F1 + 2,
	UI_KEY_F4,
	UI_KEY_F5,
	UI_KEY_F6,
	UI_KEY_F7,
	UI_KEY_F8,
	UI_KEY_F9,
	UI_KEY_F10,
	UI_KEY_CLICK,
	UI_KEY_RELEASE, /* of the button that clicked */
	UI_KEY_WHEEL_UP,
	UI_KEY_WHEEL_DOWN,
};

struct key_event {
	int code;             /* a Unicode character or one of the above */
	unsigned row, column; /* of the mouse */
};
