// Arguments of calls on signals that other calls take too.
#pragma once

#include "draw.h"

long signal_set(struct Call* c);  // as a number
Drawer signal_mask;               // a pointer to one, or null
Drawer size_of_set;
Drawer signal_number;
Drawer signal_info;
Drawer signal_event;  // struct sigevent
