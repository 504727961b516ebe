#include "oci/sandbox/state_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "oci/control/protocol.h"
#include "oci/host/file_io.h"

namespace runsc::oci {

using nlohmann::json;

namespace {

constexpr size_t kMaxIdLength = 255;  // a file name
constexpr const char* kStateFile = "state.json";
constexpr const char* kNewStateFile = "state.json.new";
constexpr const char* kLockFile = "lock";
constexpr const char* kSpecFile = "config.json";
constexpr size_t kMostState = size_t{16} << 20;

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

namespace {

// Of a container that only `delete` removes.
bool is_detached(int directory) {
  const UniqueFd file(::openat(directory, kStateFile, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return false;
  const Expected<std::string> text = read_all(file.get(), kMostState, kStateFile);
  const json document = text ? json::parse(*text, nullptr, false) : json();
  return document.is_object() && document.value("detached", false);
}

}  // namespace

Expected<StateDir> StateDir::create(const std::string& root, const std::string& id) {
  OCI_TRY_VOID(check_id(id));
  OCI_TRY_VOID(make_directories(root));
  const UniqueFd root_lock = OCI_TRY(lock_root(root));
  const std::string path = root + "/" + id;
  const bool exists = ::mkdir(path.c_str(), 0700) != 0;
  if (exists && errno != EEXIST) return fail_errno(path);
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!directory) return fail_errno(path);
  const bool taken = ::flock(directory.get(), LOCK_EX | LOCK_NB) != 0;
  if (taken && errno != EWOULDBLOCK) return fail_errno(path);
  if (taken || is_detached(directory.get())) return fail("container with id " + id + " already exists");
  return StateDir(std::move(directory), path);
}

Expected<StateDir> StateDir::open(const std::string& root, const std::string& id) {
  OCI_TRY_VOID(check_id(id));
  const std::string path = root + "/" + id;
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!directory && errno != ENOENT) return fail_errno(path);
  if (!directory || ::faccessat(directory.get(), kStateFile, F_OK, 0) != 0)
    return fail("container does not exist");
  const int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
  UniqueFd lock(::openat(directory.get(), kLockFile, flags, 0600));
  if (!lock) return errno == ENOENT ? fail("container does not exist") : fail_errno(path + "/" + kLockFile);
  while (::flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return fail_errno(path + "/" + kLockFile);
  }
  // Who held the lock before may have deleted it.
  if (::faccessat(directory.get(), kStateFile, F_OK, 0) != 0) return fail("container does not exist");
  StateDir state(std::move(directory), path);
  state.lock_ = std::move(lock);
  state.temporary_ = false;
  return state;
}

std::vector<std::string> StateDir::list(const std::string& root) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(root, error)) {
    std::string name = entry.path().filename();
    if (check_id(name) && std::filesystem::exists(entry.path() / kStateFile, error))
      names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

StateDir::~StateDir() {
  if (!directory_ || !temporary_) return;
  for (const char* name : {kStateFile, kNewStateFile, kSpecFile, kControlSocket, kLockFile})
    ::unlinkat(directory_.get(), name, 0);
  const size_t slash = path_.rfind('/');
  const Expected<UniqueFd> root_lock = lock_root(path_.substr(0, slash));
  ::rmdir(path_.c_str());
}

std::string StateDir::sandbox_path(const ContainerState& state) const {
  return state.sandbox.empty() ? path_ : path_.substr(0, path_.rfind('/') + 1) + state.sandbox;
}

Expected<void> StateDir::write(const ContainerState& state) const {
  const nlohmann::ordered_json document = {
      {"ociVersion", state.oci_version},  {"id", state.id},
      {"status", state.status},           {"pid", state.pid},
      {"startTime", state.start_time},    {"bundle", state.bundle},
      {"rootfs", state.rootfs},           {"sandbox", state.sandbox},
      {"created", state.created},         {"owner", state.owner},
      {"detached", state.detached},       {"cgroups", state.cgroups},
      {"annotations", state.annotations},
  };
  const std::string text = document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
  const std::string name = path_ + "/" + kNewStateFile;
  const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
  const UniqueFd file(::openat(directory_.get(), kNewStateFile, flags, 0600));
  if (!file) return fail_errno(name);
  OCI_TRY_VOID(write_all(file.get(), text, name));
  if (::renameat(directory_.get(), kNewStateFile, directory_.get(), kStateFile) != 0) return fail_errno(name);
  return {};
}

Expected<void> StateDir::write_spec(std::string_view text) const {
  const std::string name = path_ + "/" + kSpecFile;
  const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
  const UniqueFd file(::openat(directory_.get(), kSpecFile, flags, 0600));
  if (!file) return fail_errno(name);
  return write_all(file.get(), text, name);
}

Expected<std::string> StateDir::read_spec() const {
  const std::string name = path_ + "/" + kSpecFile;
  const UniqueFd file(::openat(directory_.get(), kSpecFile, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return fail_errno(name);
  return read_all(file.get(), kMostState, name);
}

Expected<ContainerState> StateDir::read() const {
  const std::string name = path_ + "/" + kStateFile;
  const UniqueFd file(::openat(directory_.get(), kStateFile, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return errno == ENOENT ? fail("container does not exist") : fail_errno(name);
  const std::string text = OCI_TRY(read_all(file.get(), kMostState, name));
  try {
    const json document = json::parse(text);
    ContainerState state;
    document.at("ociVersion").get_to(state.oci_version);
    document.at("id").get_to(state.id);
    document.at("status").get_to(state.status);
    document.at("pid").get_to(state.pid);
    document.at("startTime").get_to(state.start_time);
    document.at("bundle").get_to(state.bundle);
    document.at("rootfs").get_to(state.rootfs);
    document.at("sandbox").get_to(state.sandbox);
    if (!state.sandbox.empty()) OCI_TRY_VOID(check_id(state.sandbox));
    document.at("created").get_to(state.created);
    document.at("owner").get_to(state.owner);
    document.at("detached").get_to(state.detached);
    document.at("cgroups").get_to(state.cgroups);
    document.at("annotations").get_to(state.annotations);
    return state;
  } catch (const json::exception& error) {
    return fail(name + ": " + error.what());
  }
}

}  // namespace runsc::oci
