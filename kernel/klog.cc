#include "kernel/klog.h"

#include <algorithm>

#include "kernel/base/lock.h"
#include "kernel/base/log.h"
#include "kernel/time/clock.h"
#include "kvm/hostcall/client.h"

namespace runsc {

namespace {
constinit std::atomic<LogLevel> g_level{LogLevel::warning};
}

bool log_enabled(LogLevel level) { return level <= g_level.load(std::memory_order_relaxed); }
void log_set_level(LogLevel level) { g_level.store(level, std::memory_order_relaxed); }

// Callers may hold spinlocks of the debug build's list; hostcalls under them would be a bug of the caller.
void log_line(LogLevel level, std::string_view text) {
  if (level <= LogLevel::warning) kernel::klog_line(text);
  (void)hostcall::call<hostcall::Log>([&](hostcall::Log::Request& r) {
    r.level = static_cast<uint32_t>(level);
    r.length = static_cast<uint32_t>(std::min(text.size(), sizeof r.text));
    __builtin_memcpy(r.text, text.data(), r.length);
  });
}

namespace kernel {

namespace {
constinit SpinLock g_lock{LockRank::log};
constinit char g_ring[kKlogSize] GUARDED_BY(g_lock) = {};
constinit uint64_t g_end GUARDED_BY(g_lock) = 0;       // bytes ever written
constinit uint64_t g_first_ns GUARDED_BY(g_lock) = 0;  // when the first line came: the log's time 0

void put(std::string_view s) REQUIRES(g_lock) {
  for (char c : s) g_ring[g_end++ % kKlogSize] = c;
}
}  // namespace

void klog_line(std::string_view text) {
  const uint64_t now = monotonic_ns();
  LockGuard guard(g_lock);
  if (g_end == 0) g_first_ns = now;
  const uint64_t us = (now - g_first_ns) / 1000;
  char room[32];
  FixedText stamp(room);
  // Priority LOG_INFO of LOG_KERN, as syslog(2) hands it out and dmesg(1) strips it.
  format(stamp, "<6>[{:5}.{:06}] ", us / 1'000'000, us % 1'000'000);
  put(stamp.view());
  put(text);
  put("\n");
}

uint64_t klog_end() {
  LockGuard guard(g_lock);
  return g_end;
}

size_t klog_read_from(uint64_t& from, std::span<char> out) {
  LockGuard guard(g_lock);
  if (g_end - std::min(from, g_end) > kKlogSize) from = g_end - kKlogSize;
  size_t n = 0;
  while (n < out.size() && from < g_end) out[n++] = g_ring[from++ % kKlogSize];
  return n;
}

size_t klog_read_all(std::span<char> out) {
  uint64_t end = klog_end();
  uint64_t from = end > out.size() ? end - out.size() : 0;
  return klog_read_from(from, out);
}

}  // namespace kernel
}  // namespace runsc
