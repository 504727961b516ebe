#include "oci/sandbox/state_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "oci/control/protocol.h"
#include "oci/host/file_io.h"

namespace runsc::oci {

using nlohmann::json;

namespace {

constexpr size_t kMaxIdLength = 255;  // a file name
constexpr const char* kStateFile = "state.json";
constexpr const char* kNewStateFile = "state.json.new";
constexpr const char* kSpecFile = "config.json";
constexpr const char* kProcessFile = "process";
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

// Interrupts a waiting system call when the time is up.
class Alarm {
 public:
  explicit Alarm(unsigned seconds) {
    struct sigaction handler {};
    handler.sa_handler = [](int) {};
    ::sigaction(SIGALRM, &handler, &before_);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    ::pthread_sigmask(SIG_UNBLOCK, &set, &mask_);
    ::alarm(seconds);
  }
  Alarm(const Alarm&) = delete;
  ~Alarm() {
    ::alarm(0);
    ::pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
    ::sigaction(SIGALRM, &before_, nullptr);
  }

 private:
  struct sigaction before_ {};
  sigset_t mask_{};
};

}  // namespace

Expected<void> StateDir::check_id(std::string_view id) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.";
  const bool good = !id.empty() && id.size() <= kMaxIdLength && id != "." && id != ".." && id != ".lock" &&
                    id.find_first_not_of(kAllowed) == std::string_view::npos;
  if (!good) return fail("invalid container id: letters, digits and _ + - . only");
  return {};
}

std::string StateDir::already_exists(const std::string& id) {
  return "container with id " + id + " already exists";
}

Expected<StateDir> StateDir::create(const std::string& root, const ContainerState& state) {
  OCI_TRY_VOID(check_id(state.id));
  OCI_TRY_VOID(make_directories(root));
  // Until state.json is there: nobody sees a directory without one but after a crash.
  const UniqueFd root_lock = OCI_TRY(lock_root(root));
  const std::string path = root + "/" + state.id;
  if (::mkdir(path.c_str(), 0700) != 0)
    return errno == EEXIST ? fail(already_exists(state.id)) : fail_errno(path);
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!directory) return fail_errno(path);
  if (::flock(directory.get(), LOCK_EX | LOCK_NB) != 0) return fail_errno(path);
  StateDir made(std::move(directory), path);
  Expected<void> written = made.write(state);
  if (!written) {
    made.keep();  // the root is locked here
    ::unlinkat(made.fd(), kNewStateFile, 0);
    ::rmdir(path.c_str());
    return std::unexpected(written.error());
  }
  return made;
}

Expected<StateDir> StateDir::open_any(const std::string& root, const std::string& id) {
  OCI_TRY_VOID(check_id(id));
  const std::string path = root + "/" + id;
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!directory) return errno == ENOENT ? fail(kAbsent) : fail_errno(path);
  StateDir state(std::move(directory), path);
  state.temporary_ = false;
  return state;
}

Expected<StateDir> StateDir::look(const std::string& root, const std::string& id) {
  StateDir state = OCI_TRY(open_any(root, id));
  if (::faccessat(state.fd(), kStateFile, F_OK, 0) != 0) return fail(kAbsent);
  return state;
}

Expected<StateDir> StateDir::open(const std::string& root, const std::string& id) {
  StateDir state = OCI_TRY(look(root, id));
  OCI_TRY_VOID(state.lock());
  return state;
}

bool StateDir::is_gone() const {
  struct stat st {};
  return ::fstat(directory_.get(), &st) != 0 || st.st_nlink == 0;
}

Expected<void> StateDir::lock(unsigned patience_s) {
  std::optional<Alarm> alarm;
  if (patience_s != 0) alarm.emplace(patience_s);
  while (::flock(directory_.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return fail_errno(path_);
    if (alarm) return fail("another command is at work on the container");
  }
  // Who held the lock before may have deleted it.
  if (is_gone()) return fail(kAbsent);
  return {};
}

Expected<bool> StateDir::try_lock() {
  while (::flock(directory_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) return fail_errno(path_);
  }
  if (is_gone()) return fail(kAbsent);
  return true;
}

void StateDir::unlock() { ::flock(directory_.get(), LOCK_UN); }

std::vector<std::string> StateDir::list(const std::string& root) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(root, error)) {
    std::string name = entry.path().filename();
    if (check_id(name) && entry.is_directory(error)) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

StateDir::~StateDir() {
  if (!directory_ || !temporary_) return;
  const size_t slash = path_.rfind('/');
  const Expected<UniqueFd> root_lock = lock_root(path_.substr(0, slash));
  // Another container may have the name by now.
  if (is_gone()) return;
  for (const char* name : {kNewStateFile, kSpecFile, kControlSocket, kProcessFile, kStateFile})
    ::unlinkat(directory_.get(), name, 0);
  ::rmdir(path_.c_str());
}

std::string StateDir::sandbox_path(const ContainerState& state) const {
  return state.sandbox.empty() ? path_ : path_.substr(0, path_.rfind('/') + 1) + state.sandbox;
}

Expected<void> StateDir::write(const ContainerState& state) const {
  const nlohmann::ordered_json document = {
      {"ociVersion", state.oci_version},
      {"id", state.id},
      {"status", state.status},
      {"creator", state.creator},
      {"creatorStartTime", state.creator_start_time},
      {"pid", state.pid},
      {"startTime", state.start_time},
      {"bundle", state.bundle},
      {"rootfs", state.rootfs},
      {"sandbox", state.sandbox},
      {"created", state.created},
      {"owner", state.owner},
      {"detached", state.detached},
      {"cgroups", state.cgroups},
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

Expected<UniqueFd> StateDir::open_process_lock() const {
  const int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
  UniqueFd file(::openat(directory_.get(), kProcessFile, flags, 0600));
  if (!file) return fail_errno(path_ + "/" + kProcessFile);
  return file;
}

pid_t StateDir::lock_holder() const {
  const UniqueFd file(::openat(directory_.get(), kProcessFile, O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  struct flock lock {};
  lock.l_type = F_WRLCK;
  if (!file || ::fcntl(file.get(), F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return 0;
  return lock.l_pid;
}

bool take_process_lock(int fd) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  return ::fcntl(fd, F_SETLK, &lock) == 0;
}

Expected<ContainerState> StateDir::read() const {
  const std::string name = path_ + "/" + kStateFile;
  const UniqueFd file(::openat(directory_.get(), kStateFile, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return errno == ENOENT ? fail(kAbsent) : fail_errno(name);
  const std::string text = OCI_TRY(read_all(file.get(), kMostState, name));
  try {
    const json document = json::parse(text);
    ContainerState state;
    document.at("ociVersion").get_to(state.oci_version);
    document.at("id").get_to(state.id);
    document.at("status").get_to(state.status);
    document.at("creator").get_to(state.creator);
    document.at("creatorStartTime").get_to(state.creator_start_time);
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
