// Host only. Whole reads and writes of small files.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "oci/host/error.h"
#include "oci/host/unique_fd.h"

namespace runsc::oci {

// Reads a regular file or a pipe to its end. Refuses more than `limit` bytes. `name` is for the error.
Expected<std::string> read_all(int fd, size_t limit, const std::string& name);
// Opens with O_NONBLOCK (a FIFO in the way must not hang the command), refuses what is no regular file.
Expected<std::string> read_file(const std::string& path, size_t limit);
Expected<void> write_all(int fd, std::string_view bytes, const std::string& name);
// Creates or truncates.
Expected<void> write_file(const std::string& path, std::string_view bytes, unsigned mode = 0644);
// A sealed-size memory file holding `bytes`, offset 0.
Expected<UniqueFd> memory_file(const char* name, std::string_view bytes);

}  // namespace runsc::oci
