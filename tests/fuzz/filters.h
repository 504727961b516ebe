// Classic BPF programs, and the calls that take them.
#pragma once

#include "draw.h"

// struct sock_fprog, mostly a program that a checker lets through.
Drawer filter_program;

void draw_seccomp(struct Call* c);
