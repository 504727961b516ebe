#include "oci/sandbox/preserved_fds.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace runsc::oci {
namespace {

std::optional<unsigned> number(const char* name) {
  const char* text = ::getenv(name);
  unsigned value = 0;
  if (text == nullptr) return std::nullopt;
  const char* end = text + std::strlen(text);
  const auto [last, error] = std::from_chars(text, end, value);
  return error == std::errc() && last == end && last != text ? std::optional(value) : std::nullopt;
}

// Why the container could do nothing with it; null: it can.
const char* trouble(int fd) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) return "is not open";
  int listens = 0;
  socklen_t size = sizeof listens;
  if (S_ISSOCK(st.st_mode) && ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 &&
      listens != 0)
    return "is a listening socket: sockets of the host are not passed into the sandbox, only streams";
  if (S_ISDIR(st.st_mode)) return "is a directory: directories come into the sandbox by mounts";
  constexpr dev_t kNull = 0x103;
  const bool device =
      S_ISBLK(st.st_mode) || (S_ISCHR(st.st_mode) && st.st_rdev != kNull && ::isatty(fd) != 1);
  if (device) return "is a device: devices are not passed into the sandbox";
  return nullptr;
}

}  // namespace

std::vector<std::string> listening_environment(unsigned count) {
  return {"LISTEN_FDS=" + std::to_string(count), "LISTEN_PID=1"};
}

Expected<PreservedFds> preserved_fds(unsigned count) {
  constexpr int kFirst = STDERR_FILENO + 1;
  PreservedFds result;
  unsigned all = count;
  if (number("LISTEN_PID") == static_cast<unsigned>(::getpid())) {
    const unsigned listen = number("LISTEN_FDS").value_or(0);
    if (listen > kMaxPreservedFds) return fail("LISTEN_FDS: more than 128 descriptors");
    result.listening = listen;
    all += listen;
  }
  if (all > kMaxPreservedFds) return fail("--preserve-fds: more than 128 descriptors");
  for (int fd = kFirst; fd < kFirst + static_cast<int>(all); ++fd) {
    if (const char* why = trouble(fd); why != nullptr)
      return fail("--preserve-fds: descriptor " + std::to_string(fd) + " " + why);
    result.fds.push_back(fd);
  }
  return result;
}

}  // namespace runsc::oci
