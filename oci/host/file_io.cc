#include "oci/host/file_io.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace runsc::oci {

Expected<std::string> read_all(int fd, size_t limit, const std::string& name) {
  std::string bytes;
  char chunk[16384];
  for (;;) {
    const ssize_t got = ::read(fd, chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(name);
    if (got == 0) return bytes;
    bytes.append(chunk, static_cast<size_t>(got));
    if (bytes.size() > limit) return fail(name + ": larger than " + std::to_string(limit) + " bytes");
  }
}

Expected<std::string> read_file(const std::string& path, size_t limit) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return fail_errno(path);
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return fail_errno(path);
  if (!S_ISREG(st.st_mode)) return fail(path + ": not a regular file");
  return read_all(fd.get(), limit, path);
}

Expected<void> write_all(int fd, std::string_view bytes, const std::string& name) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno(name);
    bytes.remove_prefix(static_cast<size_t>(put));
  }
  return {};
}

Expected<void> write_file(const std::string& path, std::string_view bytes, unsigned mode) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, mode));
  if (!fd) return fail_errno(path);
  return write_all(fd.get(), bytes, path);
}

Expected<UniqueFd> memory_file(const char* name, std::string_view bytes) {
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC));
  if (!fd) return fail_errno("memfd_create");
  OCI_TRY_VOID(write_all(fd.get(), bytes, name));
  if (::lseek(fd.get(), 0, SEEK_SET) != 0) return fail_errno(name);
  return fd;
}

}  // namespace runsc::oci
