#include "oci/sandbox/state_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "oci/host/file_io.h"

namespace runsc::oci {
namespace {

constexpr size_t kMaxIdLength = 255;  // a file name
constexpr const char* kStateFile = "state.json";
constexpr const char* kNewStateFile = "state.json.new";

Expected<void> make_directories(const std::string& path) {
  for (size_t at = 1; at <= path.size(); ++at) {
    if (at != path.size() && path[at] != '/') continue;
    const std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), 0711) != 0 && errno != EEXIST) return fail_errno(part);
  }
  return {};
}

// Held while directories of containers appear and disappear, so that nobody takes a new one for an abandoned
// one.
Expected<UniqueFd> lock_root(const std::string& root) {
  const std::string path = root + "/.lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail_errno(path);
  while (::flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return fail_errno(path);
  }
  return fd;
}

}  // namespace

Expected<void> StateDir::check_id(std::string_view id) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.";
  const bool good = !id.empty() && id.size() <= kMaxIdLength && id != "." && id != ".." && id != ".lock" &&
                    id.find_first_not_of(kAllowed) == std::string_view::npos;
  if (!good) return fail("invalid container id: letters, digits and _ + - . only");
  return {};
}

Expected<StateDir> StateDir::create(const std::string& root, const std::string& id) {
  OCI_TRY_VOID(check_id(id));
  OCI_TRY_VOID(make_directories(root));
  const UniqueFd root_lock = OCI_TRY(lock_root(root));
  const std::string path = root + "/" + id;
  const bool exists = ::mkdir(path.c_str(), 0700) != 0;
  if (exists && errno != EEXIST) return fail_errno(path);
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!directory) return fail_errno(path);
  if (::flock(directory.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return fail("container with id " + id + " already exists");
    return fail_errno(path);
  }
  return StateDir(std::move(directory), path);
}

StateDir::~StateDir() {
  if (!directory_) return;
  ::unlinkat(directory_.get(), kStateFile, 0);
  ::unlinkat(directory_.get(), kNewStateFile, 0);
  const size_t slash = path_.rfind('/');
  const Expected<UniqueFd> root_lock = lock_root(path_.substr(0, slash));
  ::rmdir(path_.c_str());
}

Expected<void> StateDir::write(const ContainerState& state) const {
  const nlohmann::ordered_json document = {
      {"ociVersion", state.oci_version}, {"id", state.id},
      {"status", state.status},          {"pid", state.pid},
      {"bundle", state.bundle},          {"annotations", state.annotations},
  };
  const std::string text = document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  const std::string name = path_ + "/" + kNewStateFile;
  const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
  const UniqueFd file(::openat(directory_.get(), kNewStateFile, flags, 0600));
  if (!file) return fail_errno(name);
  OCI_TRY_VOID(write_all(file.get(), text, name));
  if (::renameat(directory_.get(), kNewStateFile, directory_.get(), kStateFile) != 0) return fail_errno(name);
  return {};
}

}  // namespace runsc::oci
