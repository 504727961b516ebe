// ioctl(2): each request with the kind of file it is for and what it points to.
#pragma once

#include "draw.h"

void draw_ioctl(struct Call* c);

// Keeps the descriptors that a request gave.
void keep_ioctl(struct Call* c);
