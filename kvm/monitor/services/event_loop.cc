#include "kvm/monitor/services/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <bit>
#include <cerrno>

namespace runsc::monitor {
namespace {

constexpr std::uint64_t kWakeTag = ~std::uint64_t{0};
constexpr std::uint64_t kChangesTag = kWakeTag - 1;
constexpr std::uint64_t kNewSize = std::uint64_t{1} << 63;
constexpr int kBatch = 32;
// poll(2) and epoll(7) number these alike.
constexpr std::uint32_t kAlwaysReported = EPOLLERR | EPOLLHUP;

}  // namespace

Expected<std::unique_ptr<EventLoop>> EventLoop::create() {
  std::unique_ptr<EventLoop> loop(new EventLoop);
  loop->epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!loop->epoll_.valid()) return fail_errno("epoll_create1", errno);
  loop->wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!loop->wake_.valid()) return fail_errno("eventfd", errno);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeTag;
  if (::epoll_ctl(loop->epoll_.get(), EPOLL_CTL_ADD, loop->wake_.get(), &event) < 0)
    return fail_errno("epoll_ctl", errno);
  return loop;
}

void EventLoop::attach(hostcall::Shared& shared, CpuControl& cpus, unsigned cpu_count) {
  shared_ = &shared;
  cpus_ = &cpus;
  cpu_count_ = cpu_count;
}

void EventLoop::run() {
  epoll_event events[kBatch];
  while (!stop_.load(std::memory_order_acquire)) {
    int n = ::epoll_wait(epoll_.get(), events, kBatch, -1);
    if (n < 0 && errno != EINTR) return;
    bool something = false;
    for (int i = 0; i < n; ++i) {
      if (events[i].data.u64 == kWakeTag) {
        std::uint64_t count = 0;
        (void)!::read(wake_.get(), &count, sizeof count);
        something |= signals_.load() != 0 || window_size_.load() != 0 || command_.load() || changes_.load();
      } else if (events[i].data.u64 == kChangesTag) {
        if (drain_()) changes_.store(true), something = true;
      } else {
        on_stream(static_cast<hostcall::Handle>(events[i].data.u64), events[i].events);
        something = true;
      }
    }
    if (something) announce();
  }
}

void EventLoop::announce() {
  if (shared_ == nullptr) return;
  shared_->events_pending.store(1, std::memory_order_seq_cst);
  wake_a_cpu();
}

void EventLoop::wire(unsigned number) {
  shared_->wires_pending.fetch_or(1U << number, std::memory_order_seq_cst);
  wake_a_cpu();
}

void EventLoop::wake_a_cpu() {
  // The states are the sentry's word: good enough to choose by, and a wake is never lost whatever the CPU
  // does.
  unsigned chosen = 0;
  for (unsigned i = 0; i < cpu_count_; ++i) {
    if (shared_->cpu[i].state.load(std::memory_order_relaxed) == hostcall::CpuShared::idle) {
      chosen = i;
      break;
    }
  }
  cpus_->wake(chosen);
}

void EventLoop::poke() {
  const int saved = errno;
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
  errno = saved;
}

void EventLoop::stop() {
  stop_.store(true, std::memory_order_release);
  poke();
}

void EventLoop::signal(int signo) {
  if (signo <= 0 || signo >= 64) return;
  signals_.fetch_or(std::uint64_t{1} << signo);
  poke();
}

void EventLoop::window_size(std::uint16_t rows, std::uint16_t columns) {
  window_size_.store(kNewSize | std::uint64_t{rows} << 16 | columns);
  poke();
}

void EventLoop::command() {
  command_.store(true);
  poke();
}

void EventLoop::changes() {
  changes_.store(true);
  poke();
}

Result<void> EventLoop::listen(int fd, std::function<bool()> drain) {
  if (!drain_) drain_ = std::move(drain);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kChangesTag;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) < 0) return static_cast<Errno>(errno);
  return {};
}

Result<void> EventLoop::arm(hostcall::Handle handle, int fd, std::uint32_t bits) {
  std::scoped_lock lock(mutex_);
  Stream& stream = streams_[handle];
  stream.fd = fd;
  stream.armed |= bits;
  epoll_event event{};
  event.events = stream.armed | EPOLLONESHOT;
  event.data.u64 = handle;
  const int how = stream.registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (::epoll_ctl(epoll_.get(), how, fd, &event) < 0) {
    const int code = errno;
    stream.armed = 0;
    return static_cast<Errno>(code);
  }
  stream.registered = true;
  return {};
}

void EventLoop::on_stream(hostcall::Handle handle, std::uint32_t bits) {
  std::scoped_lock lock(mutex_);
  auto it = streams_.find(handle);
  if (it == streams_.end()) return;
  Stream& stream = it->second;
  stream.ready |= bits & (stream.armed | kAlwaysReported);
  stream.armed &= ~bits;
  // One shot disarmed all bits; what has not come yet is armed again, unless the stream is broken for good.
  if (stream.armed != 0 && (bits & kAlwaysReported) == 0) {
    epoll_event event{};
    event.events = stream.armed | EPOLLONESHOT;
    event.data.u64 = handle;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, stream.fd, &event);
  } else {
    stream.armed = 0;
  }
}

void EventLoop::forget(hostcall::Handle handle, int fd) {
  std::scoped_lock lock(mutex_);
  auto it = streams_.find(handle);
  if (it == streams_.end()) return;
  if (it->second.registered) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  streams_.erase(it);
}

unsigned EventLoop::take(std::span<hostcall::Event> out) {
  unsigned count = 0;
  auto put = [&](hostcall::EventKind kind, std::uint32_t handle, std::uint32_t value) {
    out[count++] = {kind, handle, value, 0};
  };
  while (count < out.size()) {
    std::uint64_t pending = signals_.load();
    if (pending == 0) break;
    const int signo = std::countr_zero(pending);
    signals_.fetch_and(~(std::uint64_t{1} << signo));
    put(hostcall::EventKind::signal, 0, static_cast<std::uint32_t>(signo));
  }
  if (count < out.size()) {
    std::uint64_t size = window_size_.exchange(0);
    if (size != 0) put(hostcall::EventKind::window_size, 0, static_cast<std::uint32_t>(size));
  }
  if (count < out.size() && command_.exchange(false)) put(hostcall::EventKind::command, 0, 0);
  if (count < out.size() && changes_.exchange(false)) put(hostcall::EventKind::changes, 0, 0);
  std::scoped_lock lock(mutex_);
  bool more = signals_.load() != 0 || command_.load() || changes_.load();
  for (auto& [handle, stream] : streams_) {
    if (stream.ready == 0) continue;
    if (count == out.size()) {
      more = true;
      break;
    }
    put(hostcall::EventKind::stream_ready, handle, stream.ready);
    stream.ready = 0;
  }
  // The sentry cleared events_pending before it asked: remind it of what did not fit.
  if (more && shared_ != nullptr) shared_->events_pending.store(1, std::memory_order_seq_cst);
  return count;
}

}  // namespace runsc::monitor
