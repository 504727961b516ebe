// Catch2 beside kernel/base/check.h: both have a CHECK, tests mean Catch2's. Include last.
#pragma once

#include "kernel/base/check.h"
#include "kernel/base/vec.h"
#undef CHECK
#include <catch2/catch.hpp>
