// Who may write a file through memory.
#pragma once

#include "mm/mappable.h"

namespace runsc::mm {

// Whether a shared mapping of it may be written, or made writable by mprotect(2). A hint: it may change at
// once. Walks over every space that maps the file. Sleeps; no AddressSpace lock held.
bool is_mapped_for_writing(Mappable& file);

}  // namespace runsc::mm
