/* SPDX-License-Identifier: BSD-2-Clause */
/* A flame graph as a file of its own. */
#pragma once
#include "svg.h"

/* To PATH, or to standard output for "-". A file is replaced only by a whole picture. Errors have a message. */
int picture_write(const struct flame *f, const struct flame_svg_options *options, const char *path);
