#include "kernel/signal/signalfd.h"

#include "kernel/signal/signal.h"

namespace runsc::kernel {

namespace {

// struct signalfd_siginfo (signalfd(2)).
struct SignalFdInfo {
  uint32_t signo;
  int32_t error, code;
  uint32_t pid, uid;
  int32_t fd;
  uint32_t timer_id, band, overrun, trap_number;
  int32_t status, value_int;
  uint64_t value_ptr, utime, stime, address;
  uint16_t address_lsb, pad2;
  int32_t syscall;
  uint64_t call_address;
  uint32_t arch;
  uint8_t pad[28];
};
static_assert(sizeof(SignalFdInfo) == 128);

SignalFdInfo convert(const abi::SigInfo& info) {
  SignalFdInfo out{};
  out.signo = static_cast<uint32_t>(info.signo);
  out.error = info.error;
  out.code = info.code;
  switch (info.signo) {
    case abi::sig::ill:
    case abi::sig::fpe:
    case abi::sig::segv:
    case abi::sig::bus:
    case abi::sig::trap:
      if (info.code > 0) {
        out.address = info.fault.address;
        return out;
      }
      break;
    case abi::sig::chld:
      if (info.code > 0) {
        out.pid = static_cast<uint32_t>(info.child.pid);
        out.uid = info.child.uid;
        out.status = info.child.status;
        out.utime = static_cast<uint64_t>(info.child.utime);
        out.stime = static_cast<uint64_t>(info.child.stime);
        return out;
      }
      break;
    default:
      break;
  }
  if (info.code == abi::sig_code::timer) {
    out.timer_id = static_cast<uint32_t>(info.timer.timer_id);
    out.overrun = static_cast<uint32_t>(info.timer.overrun);
    out.value_ptr = info.timer.value;
    out.value_int = static_cast<int32_t>(info.timer.value);
    return out;
  }
  out.pid = static_cast<uint32_t>(info.rt.pid);
  out.uid = info.rt.uid;
  out.value_ptr = info.rt.value;
  out.value_int = static_cast<int32_t>(info.rt.value);
  return out;
}

}  // namespace

void SignalFd::set_mask(uint64_t mask) {
  mask_.store(mask, std::memory_order_relaxed);
  // Whoever waits looks again with the new mask.
  home_->signal_wait.wake_all();
  Task::current().group().signal_wait.wake_all();
}

WaitQueue* SignalFd::wait_queue() { return &Task::current().group().signal_wait; }

uint32_t SignalFd::poll() {
  Task& task = Task::current();
  ThreadGroup& group = task.group();
  LockGuard guard(group.signal_lock);
  uint64_t waiting = task.signals.queue.pending() | group.queue.pending();
  return waiting & mask_.load(std::memory_order_relaxed) ? fs::poll_bit::in | fs::poll_bit::rdnorm : 0;
}

Result<size_t> SignalFd::read(mm::IoBuf& buf, uint64_t) {
  if (buf.remaining() < sizeof(SignalFdInfo)) return Errno::inval;
  size_t total = 0;
  while (buf.remaining() >= sizeof(SignalFdInfo)) {
    abi::SigInfo info;
    if (!take_signal(Task::current(), mask_.load(std::memory_order_relaxed), info)) break;
    SignalFdInfo out = convert(info);
    auto put = buf.put(&out, sizeof out);
    if (!put) return total ? Result<size_t>(total) : put;
    total += *put;
  }
  if (total == 0) return Errno::again;
  return total;
}

void SignalFd::fdinfo(TextSink& out) const {
  format(out, "sigmask:\t{:016x}\n", mask_.load(std::memory_order_relaxed));
}

}  // namespace runsc::kernel
