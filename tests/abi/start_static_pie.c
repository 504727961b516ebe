// The same as start_static, as a static program that relocates itself.
#include "start_static.c"
