// memfd_create(2): a file of tmpfs without a name.
#pragma once

#include "fs/credentials.h"
#include "fs/file.h"

namespace runsc::fs {

// Readable, writable; shows as "/memfd:NAME (deleted)". ENOMEM.
Result<Ref<File>> make_memfd(std::string_view name, bool allow_sealing, const Credentials& creds);

}  // namespace runsc::fs
