// What the container watches beneath donated directories (inotify(7)): what others on the host change there.
// What it changes there itself, the sentry tells its watchers; the host's word of that is left out.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"
#include "kvm/hostcall/calls.h"
#include "kvm/monitor/services/file_table.h"
#include "kvm/monitor/unique_fd.h"

namespace runsc::monitor {

class OwnChange;

// Thread-safe.
class HostWatches {
 public:
  // A container shall not use up what the host's user may watch.
  static constexpr std::size_t kMostWatches = 4096;
  static constexpr std::size_t kMostPending = 4096;

  // Before the first add(): `listen` is given the descriptor to drain() when it is readable, `announce` is
  // called when something waits to be taken that drain() did not find.
  void attach(std::function<Result<void>(int fd)> listen, std::function<void()> announce);

  // Changes (mask: hostcall::Watch) of the entry `name` of a directory, or with an empty name of the
  // directory itself, or of the file that `directory` is; a symbolic link is not followed. The same number
  // again: more of them. EINVAL: number 0; ENOSPC: too many; EOPNOTSUPP: a file that was donated by itself to
  // a sandbox that runs already; what inotify_add_watch(2) and inotify_init1(2) give.
  Result<void> add(std::uint32_t number, int directory, const char* name, std::uint32_t mask);
  void remove(std::uint32_t number);

  // Reads what has come. Whether anything is there to be taken.
  bool drain();
  void take(hostcall::TakeChanges::Reply& reply);

  bool active() const { return active_.load(std::memory_order_relaxed) != 0; }

 private:
  friend class OwnChange;
  using Object = FileId;
  struct Watch {
    Object object;
    std::vector<std::uint32_t> numbers;
  };
  struct Change {
    std::uint32_t number, mask, cookie;
    std::string name;
  };
  Result<void> open_locked();
  Result<int> add_at_locked(int directory, const char* name, std::uint32_t mask);
  Result<int> add_alone_locked(const Object& object, std::uint32_t mask);
  void forget_locked(std::map<std::uint32_t, int>::iterator known);
  void remove_locked(std::uint32_t number);
  void drain_locked();
  void read_locked(std::uint32_t wd, std::uint32_t mask, std::uint32_t cookie, std::string_view name);
  bool is_own_locked(const Object& watched, std::string_view name, std::uint32_t mask) const;
  void begin(OwnChange& change);
  void end(OwnChange& change);

  std::function<Result<void>(int)> listen_;
  std::function<void()> announce_;
  std::atomic<std::uint32_t> active_{0};
  std::mutex mutex_;  // guards what follows, and the working directory of the process
  UniqueFd inotify_, home_;
  std::map<int, Watch> watches_;        // by inotify's number
  std::map<std::uint32_t, int> wd_of_;  // by the sentry's number
  std::vector<const OwnChange*> own_;   // under way
  std::deque<Change> pending_;
  bool overflowed_ = false;
};

// One hostcall's changes, from before they begin until they are done.
class OwnChange {
 public:
  // `kinds`: what can come of it (hostcall::Watch); 0: nothing.
  OwnChange(HostWatches& watches, std::uint32_t kinds)
      : watches_(kinds != 0 && watches.active() ? &watches : nullptr), kinds_(kinds) {}
  OwnChange(const OwnChange&) = delete;
  ~OwnChange();

  // The entry of a directory, and what it names; with an empty name the directory itself.
  void entry(int directory, const char* name);
  // An open file.
  void file(FoundFile found);
  // Once all is named: from here on what comes of it is the container's own.
  void begin();

 private:
  friend class HostWatches;
  struct Part {
    HostWatches::Object directory, object;
    std::string name;
  };
  void add(Part part);

  HostWatches* const watches_;
  const std::uint32_t kinds_;
  std::array<Part, 2> parts_;
  unsigned count_ = 0;
  bool begun_ = false;
};

}  // namespace runsc::monitor
