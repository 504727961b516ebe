// The file systems that mount(2) knows by name.
#pragma once

#include "fs/inode.h"

namespace runsc::fs {

// A new super block (or a further reference to the only one). `data`: the options of mount(2).
using MountFunction = Result<Ref<SuperBlock>> (*)(std::string_view source, std::string_view data);

// At boot, from kernel_main; `name` is static text. A fixed table: more than it holds is a broken invariant.
void register_filesystem(const char* name, MountFunction mount);
// ENODEV.
Result<MountFunction> find_filesystem(std::string_view name);
// /proc/filesystems.
void describe_filesystems(TextSink& out);

}  // namespace runsc::fs
