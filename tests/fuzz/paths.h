// Names of files, and what calls on files are given besides.
#pragma once

#include "draw.h"

Drawer path, path_new, path_dir, path_exec, mode, open_flags, at_flags, owner, device, times, xattr_name,
    xattr_value, xattr_flags, time_value, timer_value, timer_value_us, time_pointer;
