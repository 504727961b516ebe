#include "shim/cli/address.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <boost/uuid/detail/sha1.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace runsc::shim {
namespace {

constexpr const char* kDefaultFolder = "/run/containerd/s";
// Names of console sockets are made from it, see console_prefix.
constexpr size_t kSuffixRoom = 16;
constexpr int kBacklog = 64;

std::string digest(const std::string& text) {
  boost::uuids::detail::sha1 hash;
  hash.process_bytes(text.data(), text.size());
  boost::uuids::detail::sha1::digest_type words;
  hash.get_digest(words);
  std::string name;
  for (const unsigned word : words) name += fmt::format("{:08x}", word);
  return name;
}

sockaddr_un socket_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), std::min(path.size() + 1, sizeof address.sun_path));
  return address;
}

bool fits(const std::string& path) { return path.size() + kSuffixRoom < sizeof(sockaddr_un::sun_path); }

}  // namespace

std::string socket_path(const std::string& containerd_address, const std::string& name_space,
                        const std::string& group) {
  const std::string name = digest(containerd_address + "\n" + name_space + "\n" + group);
  if (containerd_address.starts_with('/')) {
    std::string path = (std::filesystem::path(containerd_address).parent_path() / "s" / name).string();
    if (fits(path)) return path;
  }
  return std::string(kDefaultFolder) + "/" + name;
}

bool is_served(const std::string& path) {
  const oci::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un address = socket_address(path);
  if (!fd) return false;
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
  return errno == EAGAIN;  // somebody listens, and has not come to accept yet
}

namespace {

// Held between looking at a socket and what is done about it, by all shims whose sockets lie in the folder.
oci::Expected<oci::UniqueFd> lock_folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path();
  oci::UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return oci::fail_errno(folder);
  while (::flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return oci::fail_errno(folder);
  }
  return fd;
}

}  // namespace

void remove_unserved(const std::string& path) {
  const oci::Expected<oci::UniqueFd> lock = lock_folder_of(path);
  if (!is_served(path)) ::unlink(path.c_str());
}

oci::Expected<oci::UniqueFd> listen_at(const std::string& path) {
  if (!fits(path)) return oci::fail("socket: path too long: " + path);
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  if (error) return oci::fail(path + ": " + error.message());
  const oci::UniqueFd lock = OCI_TRY(lock_folder_of(path));
  const sockaddr_un address = socket_address(path);
  // Twice: what lies in the way may be a socket that nobody serves.
  for (int attempt = 0; attempt < 2; ++attempt) {
    oci::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) return oci::fail_errno("socket");
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      if (::chmod(path.c_str(), 0600) != 0 || ::listen(fd.get(), kBacklog) != 0) return oci::fail_errno(path);
      return fd;
    }
    if (errno != EADDRINUSE) return oci::fail_errno(path);
    if (is_served(path)) return oci::UniqueFd();
    ::unlink(path.c_str());
  }
  return oci::fail(path + ": is made by another shim just now");
}

}  // namespace runsc::shim
