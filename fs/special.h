// Devices, FIFOs and sockets: nodes of a file system whose files come from elsewhere. Inode::open() of a
// special node ends here.
#pragma once

#include "fs/inode.h"

namespace runsc::fs {

// Opens a character device: `attr.rdev` names it. ENXIO when nobody knows it.
using SpecialOpen = Result<Ref<File>> (*)(Ref<Inode> inode, const Attr& attr, uint32_t flags);

// Set once at boot.
void set_char_device_opener(SpecialOpen open);

// A FIFO's pipe stands in Inode::attachment(). ENXIO: no opener, a block device, a socket.
Result<Ref<File>> open_special(Inode& inode, uint32_t flags);

}  // namespace runsc::fs
