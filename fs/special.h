// Devices, FIFOs and sockets: nodes of a file system whose files come from elsewhere. Inode::open() of a
// special node ends here.
#pragma once

#include "fs/inode.h"

namespace runsc::fs {

// Opens a node: `attr.rdev` names a device. ENXIO when nobody knows it.
using SpecialOpen = Result<Ref<File>> (*)(Ref<Inode> inode, const Attr& attr, uint32_t flags);

// Set once at boot. A FIFO keeps its pipe in Inode::attachment().
void set_char_device_opener(SpecialOpen open);
void set_fifo_opener(SpecialOpen open);

// ENXIO: no opener, a block device, a socket.
Result<Ref<File>> open_special(Inode& inode, uint32_t flags);

}  // namespace runsc::fs
