// What sanitizers must be told of stacks. Internal to this folder.
#pragma once

#if defined(__SANITIZE_ADDRESS__)
#define RUNSC_ASAN 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define RUNSC_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__)
#define RUNSC_TSAN 1
#include <sanitizer/tsan_interface.h>
#else
#define RUNSC_TSAN 0
#endif
