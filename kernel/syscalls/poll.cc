// poll(2), ppoll(2), select(2), pselect(2).
#include "kernel/signal/temporary_mask.h"
#include "kernel/syscalls/events.h"
#include "kernel/syscalls/poll_set.h"
#include "mm/user_copy.h"

namespace runsc::kernel {

namespace {

using namespace fs::poll_bit;

struct PollFd {
  int32_t fd;
  int16_t events, revents;
};

constexpr uint32_t kSelectIn = in | rdnorm | rdband | hup | err, kSelectOut = out | wrnorm | wrband | err,
                   kSelectExcept = pri;
constexpr int kMaxSelect = 1 << 20;

// An interrupted wait is not restarted when a handler ran (signal(7)).
template <class T>
Result<T> no_hand(Result<T> r) {
  if (!r && r.error() == Errno::restartsys) return Errno::restartnohand;
  return r;
}

Result<size_t> do_poll(Task& task, UserPtr<PollFd> fds, uint32_t count, uint64_t deadline) {
  if (count > task.limit(7 /* RLIMIT_NOFILE */)) return Errno::inval;
  Vec<PollFd> list;
  TRY(list.resize(count));
  TRY(mm::copy_in_array(task.mm(), list.span(), fds));
  Vec<PollEntry> entries;
  TRY(entries.resize(count));
  size_t bad = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (list[i].fd < 0) continue;
    auto file = task.files().get(list[i].fd);
    if (file) {
      entries[i].file = std::move(*file);
      entries[i].events = static_cast<uint16_t>(list[i].events);
    } else {
      entries[i].ready = nval;
      ++bad;
    }
  }
  size_t ready = TRY(wait_for_any(task, entries.span(), bad ? 0 : deadline));
  for (uint32_t i = 0; i < count; ++i) list[i].revents = static_cast<int16_t>(entries[i].ready);
  // Only revents is written back.
  for (uint32_t i = 0; i < count; ++i)
    TRY(mm::copy_out(task.mm(), UserPtr<int16_t>(fds.offset(i).address() + 6), list[i].revents));
  return ready;
}

// The three bit sets of select, as the application gave them and as they go back.
struct SelectSets {
  Vec<uint64_t> words[3];
};

Result<SelectSets> read_sets(Task& task, int n, const uint64_t (&addresses)[3]) {
  SelectSets sets;
  const size_t words = (static_cast<size_t>(n) + 63) / 64;
  for (int s = 0; s < 3; ++s) {
    TRY(sets.words[s].resize(words));
    if (addresses[s])
      TRY(mm::copy_in_array(task.mm(), sets.words[s].span(), UserPtr<uint64_t>(addresses[s])));
  }
  return sets;
}

Result<size_t> do_select(Task& task, int n, uint64_t read_set, uint64_t write_set, uint64_t except_set,
                         uint64_t deadline) {
  if (n < 0) return Errno::inval;
  if (n > kMaxSelect) n = kMaxSelect;
  const uint64_t addresses[3] = {read_set, write_set, except_set};
  SelectSets sets = TRY(read_sets(task, n, addresses));
  constexpr uint32_t kEvents[3] = {kSelectIn, kSelectOut, kSelectExcept};
  Vec<PollEntry> entries;
  Vec<int> fds;
  for (int fd = 0; fd < n; ++fd) {
    uint32_t wanted = 0;
    for (int s = 0; s < 3; ++s)
      if (sets.words[s][fd / 64] >> (fd % 64) & 1) wanted |= kEvents[s];
    if (!wanted) continue;
    PollEntry e;
    e.file = TRY(task.files().get(fd));
    e.events = wanted;
    TRY(entries.push_back(std::move(e)));
    TRY(fds.push_back(fd));
  }
  TRY(wait_for_any(task, entries.span(), deadline));
  size_t ready = 0;
  for (int s = 0; s < 3; ++s) {
    Vec<uint64_t> result;
    TRY(result.resize(sets.words[s].size()));
    for (size_t i = 0; i < fds.size(); ++i) {
      int fd = fds[i];
      if (!(sets.words[s][fd / 64] >> (fd % 64) & 1) || !(entries[i].ready & kEvents[s])) continue;
      result[fd / 64] |= uint64_t{1} << (fd % 64);
      ++ready;
    }
    if (addresses[s] && !result.empty())
      TRY(mm::copy_out_array(task.mm(), UserPtr<uint64_t>(addresses[s]),
                             std::span<const uint64_t>(result.span())));
  }
  return ready;
}

}  // namespace

Result<size_t> sys_poll(Task& task, uint64_t fds, uint32_t count, int timeout_ms) {
  auto r = do_poll(task, UserPtr<PollFd>(fds), count, deadline_of_ms(timeout_ms));
  return no_hand(r);
}

Result<size_t> sys_ppoll(Task& task, uint64_t fds, uint32_t count, uint64_t timeout, uint64_t mask,
                         uint64_t mask_size) {
  uint64_t deadline = kNoDeadline;
  if (timeout) deadline = TRY(deadline_of_timespec(TRY(mm::copy_in(task.mm(), UserPtr<TimeSpec>(timeout)))));
  TRY(set_temporary_mask(task, mask, mask_size));
  auto r = no_hand(do_poll(task, UserPtr<PollFd>(fds), count, deadline));
  // Linux writes the rest back and ignores that it cannot.
  if (timeout && deadline != kNoDeadline)
    (void)mm::copy_out(task.mm(), UserPtr<TimeSpec>(timeout), remaining_until(deadline));
  return r;
}

Result<size_t> sys_select(Task& task, int n, uint64_t read_set, uint64_t write_set, uint64_t except_set,
                          uint64_t timeout) {
  struct TimeVal {
    int64_t sec, usec;
  };
  uint64_t deadline = kNoDeadline;
  if (timeout) {
    TimeVal t = TRY(mm::copy_in(task.mm(), UserPtr<TimeVal>(timeout)));
    if (t.sec < 0 || t.usec < 0) return Errno::inval;
    deadline = TRY(deadline_of_timespec({t.sec + t.usec / 1'000'000, t.usec % 1'000'000 * 1000}));
  }
  auto r = no_hand(do_select(task, n, read_set, write_set, except_set, deadline));
  if (timeout && deadline != kNoDeadline) {
    TimeSpec left = remaining_until(deadline);
    (void)mm::copy_out(task.mm(), UserPtr<TimeVal>(timeout), TimeVal{left.sec, left.nsec / 1000});
  }
  return r;
}

Result<size_t> sys_pselect6(Task& task, int n, uint64_t read_set, uint64_t write_set, uint64_t except_set,
                            uint64_t timeout, uint64_t mask_argument) {
  struct MaskArgument {
    uint64_t mask, size;
  };
  uint64_t deadline = kNoDeadline;
  if (timeout) deadline = TRY(deadline_of_timespec(TRY(mm::copy_in(task.mm(), UserPtr<TimeSpec>(timeout)))));
  if (mask_argument) {
    MaskArgument m = TRY(mm::copy_in(task.mm(), UserPtr<MaskArgument>(mask_argument)));
    TRY(set_temporary_mask(task, m.mask, m.size));
  }
  auto r = no_hand(do_select(task, n, read_set, write_set, except_set, deadline));
  if (timeout && deadline != kNoDeadline)
    (void)mm::copy_out(task.mm(), UserPtr<TimeSpec>(timeout), remaining_until(deadline));
  return r;
}

}  // namespace runsc::kernel
