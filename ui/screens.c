// SPDX-License-Identifier: BSD-2-Clause
/* The list of screens, from meson's. */
#include "screen.h"
#include "screens.h"

#define X(name) extern const struct screen screen_##name;
SCREENS
#undef X

#define X(name) &screen_##name,
const struct screen *const all_screens[] = {SCREENS NULL};
