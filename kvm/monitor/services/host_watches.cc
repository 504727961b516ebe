#include "kvm/monitor/services/host_watches.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "kvm/monitor/services/path_ops.h"

namespace runsc::monitor {

void HostWatches::attach(std::function<Result<void>(int)> listen, std::function<void()> announce) {
  listen_ = std::move(listen);
  announce_ = std::move(announce);
}

// Opened for the first watch: a user has few instances for all that he runs.
Result<void> HostWatches::open_locked() {
  if (inotify_.valid()) return {};
  UniqueFd home = TRY(open_beneath(AT_FDCWD, ".", O_PATH | O_DIRECTORY));
  UniqueFd fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!fd.valid()) return host_errno(errno);
  if (listen_) TRY(listen_(fd.get()));
  inotify_ = std::move(fd);
  home_ = std::move(home);
  return {};
}

// inotify takes paths alone, so the name is looked up from the directory as the working directory; nothing
// else in the process uses that.
Result<int> HostWatches::add_at_locked(int directory, const char* name, std::uint32_t mask) {
  if (::fchdir(directory) < 0) return host_errno(errno);
  const int wd =
      ::inotify_add_watch(inotify_.get(), *name != 0 ? name : ".", mask | IN_DONT_FOLLOW | IN_MASK_ADD);
  const int code = errno;
  if (::fchdir(home_.get()) < 0) return host_errno(errno);
  if (wd < 0) return host_errno(code);
  return wd;
}

// What is donated is mounted in the working directory, by the numbers from 0 on. EOPNOTSUPP: it is not among
// them, having come with a container that joined later.
Result<int> HostWatches::add_alone_locked(const Object& object, std::uint32_t mask) {
  for (unsigned i = 0;; ++i) {
    const std::string place = std::to_string(i);
    auto st = stat_entry(home_.get(), place.c_str());
    if (!st) return Errno::opnotsupp;
    if (Object{st->st_dev, st->st_ino} == object) return add_at_locked(home_.get(), place.c_str(), mask);
  }
}

Result<void> HostWatches::add(std::uint32_t number, int directory, const char* name, std::uint32_t mask) {
  if (number == 0) return Errno::inval;
  std::scoped_lock lock(mutex_);
  TRY(open_locked());
  auto known = wd_of_.find(number);
  if (known == wd_of_.end() && (watches_.size() >= kMostWatches || wd_of_.size() >= kMostWatches))
    return Errno::nospc;
  const struct stat st = TRY(stat_entry(directory, name));
  const Object object{st.st_dev, st.st_ino};
  const bool alone = *name == 0 && !S_ISDIR(st.st_mode);
  const int wd = TRY(alone ? add_alone_locked(object, mask) : add_at_locked(directory, name, mask));
  if (known != wd_of_.end() && known->second == wd) return {};
  if (known != wd_of_.end()) forget_locked(known);
  Watch& watch = watches_[wd];
  watch.object = object;
  watch.numbers.push_back(number);
  wd_of_[number] = wd;
  active_.store(static_cast<std::uint32_t>(watches_.size()), std::memory_order_relaxed);
  return {};
}

void HostWatches::remove(std::uint32_t number) {
  std::scoped_lock lock(mutex_);
  remove_locked(number);
  std::erase_if(pending_, [&](const Change& c) { return c.number == number; });
}

// The host's watch goes with the last number that wants it. What it says of that is of a watch that is not
// known any more.
void HostWatches::forget_locked(std::map<std::uint32_t, int>::iterator known) {
  const int wd = known->second;
  auto watch = watches_.find(wd);
  std::erase(watch->second.numbers, known->first);
  wd_of_.erase(known);
  if (!watch->second.numbers.empty()) return;
  watches_.erase(watch);
  (void)::inotify_rm_watch(inotify_.get(), wd);
}

void HostWatches::remove_locked(std::uint32_t number) {
  if (auto known = wd_of_.find(number); known != wd_of_.end()) forget_locked(known);
  active_.store(static_cast<std::uint32_t>(watches_.size()), std::memory_order_relaxed);
  if (!wd_of_.empty() || !inotify_.valid()) return;
  watches_.clear();
  pending_.clear();
  overflowed_ = false;
  inotify_.reset();
  active_.store(0, std::memory_order_relaxed);
}

bool HostWatches::drain() {
  std::scoped_lock lock(mutex_);
  drain_locked();
  return !pending_.empty() || overflowed_;
}

void HostWatches::drain_locked() {
  alignas(inotify_event) char buffer[8192];
  // More than the host's queue holds, but not for ever.
  constexpr int kMostReads = 64;
  for (int i = 0; i < kMostReads; ++i) {
    const ssize_t n = ::read(inotify_.get(), buffer, sizeof buffer);
    if (n <= 0) return;
    for (ssize_t at = 0; at < n;) {
      inotify_event event;
      std::memcpy(&event, buffer + at, sizeof event);
      const char* name = buffer + at + sizeof event;
      read_locked(static_cast<std::uint32_t>(event.wd), event.mask, event.cookie,
                  {name, ::strnlen(name, event.len)});
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
  }
}

void HostWatches::read_locked(std::uint32_t wd, std::uint32_t mask, std::uint32_t cookie,
                              std::string_view name) {
  if ((mask & IN_Q_OVERFLOW) != 0) overflowed_ = true;
  auto it = watches_.find(static_cast<int>(wd));
  if (it == watches_.end()) return;
  const Watch& watch = it->second;
  if ((mask & IN_IGNORED) != 0) {
    for (std::uint32_t number : watch.numbers) wd_of_.erase(number);
    watches_.erase(it);
    active_.store(static_cast<std::uint32_t>(watches_.size()), std::memory_order_relaxed);
    return;
  }
  if (is_own_locked(watch.object, name, mask)) return;
  for (std::uint32_t number : watch.numbers) {
    if (pending_.size() >= kMostPending)
      overflowed_ = true;
    else
      pending_.push_back({number, mask, cookie, std::string(name)});
  }
}

void HostWatches::take(hostcall::TakeChanges::Reply& reply) {
  std::scoped_lock lock(mutex_);
  while (!pending_.empty()) {
    const Change& change = pending_.front();
    const auto size = static_cast<std::uint32_t>(change.name.size());
    const std::uint32_t record = hostcall::change_size(size);
    if (record > sizeof reply.bytes - reply.size) break;
    const hostcall::Change head{change.number, change.mask, change.cookie, size};
    std::memcpy(reply.bytes + reply.size, &head, sizeof head);
    std::memcpy(reply.bytes + reply.size + sizeof head, change.name.data(), size);
    reply.size += record;
    pending_.pop_front();
  }
  reply.more = pending_.empty() ? 0 : 1;
  if (reply.more == 0) reply.overflowed = std::exchange(overflowed_, false) ? 1 : 0;
}

// ---- what the container does itself

bool HostWatches::is_own_locked(const Object& watched, std::string_view name, std::uint32_t mask) const {
  return std::any_of(own_.begin(), own_.end(), [&](const OwnChange* change) {
    if ((change->kinds_ & mask) == 0) return false;
    return std::any_of(
        change->parts_.begin(), change->parts_.begin() + change->count_, [&](const auto& part) {
          return name.empty() ? part.object == watched : part.name == name && part.directory == watched;
        });
  });
}

void HostWatches::begin(OwnChange& change) {
  std::scoped_lock lock(mutex_);
  drain_locked();  // what came before is of others
  own_.push_back(&change);
}

void HostWatches::end(OwnChange& change) {
  bool others;
  {
    std::scoped_lock lock(mutex_);
    drain_locked();
    std::erase(own_, &change);
    others = !pending_.empty() || overflowed_;
  }
  if (others && announce_) announce_();
}

OwnChange::~OwnChange() {
  if (begun_) watches_->end(*this);
}

void OwnChange::begin() {
  if (watches_ == nullptr) return;
  watches_->begin(*this);
  begun_ = true;
}

void OwnChange::add(Part part) {
  if (count_ == parts_.size()) return;
  parts_[count_] = std::move(part);
  ++count_;
}

void OwnChange::entry(int directory, const char* name) {
  if (watches_ == nullptr) return;
  Part part;
  if (auto parent = stat_entry(directory, "")) part.directory = {parent->st_dev, parent->st_ino};
  if (auto object = stat_entry(directory, name)) part.object = {object->st_dev, object->st_ino};
  part.name = name;
  add(std::move(part));
}

void OwnChange::file(FoundFile found) {
  if (watches_ == nullptr) return;
  add({found.directory, found.file, std::move(found.name)});
}

}  // namespace runsc::monitor
