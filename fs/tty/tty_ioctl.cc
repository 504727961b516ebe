// ioctl_tty(2).
#include "fs/tty/devpts.h"
#include "fs/tty/job_control.h"
#include "fs/tty/tty.h"
#include "mm/user_copy.h"

namespace runsc::fs {

namespace {

enum Request : uint32_t {
  kTcgets = 0x5401,
  kTcsets,
  kTcsetsw,
  kTcsetsf,
  kTcgeta,
  kTcseta,
  kTcsetaw,
  kTcsetaf,
  kTcsbrk,
  kTcxonc,
  kTcflsh,
  kTiocexcl = 0x540c,
  kTiocnxcl,
  kTiocsctty,
  kTiocgpgrp,
  kTiocspgrp,
  kTiocoutq,
  kTiocsti,
  kTiocgwinsz,
  kTiocswinsz,
  kFionread = 0x541b,
  kTiocpkt = 0x5420,
  kTiocnotty = 0x5422,
  kTiocsetd = 0x5423,
  kTiocgetd = 0x5424,
  kTcsbrkp = 0x5425,
  kTiocgsid = 0x5429,
  kTiocgdev = 0x80045432,
  kTiocgptn = 0x80045430,
  kTiocsptlck = 0x40045431,
  kTiocgptlck = 0x80045439,
  kTiocgpkt = 0x80045438,
  kTiocgexcl = 0x80045440,
};

constexpr int kSigTtou = 22;
constexpr uint8_t kPacketFlushRead = 1, kPacketFlushWrite = 2;

template <class T>
Result<uint64_t> give(const IoctlContext& context, uint64_t argument, const T& value) {
  TRY(mm::copy_out(context.space, mm::UserPtr<T>(argument), value));
  return uint64_t{0};
}

Result<int32_t> take_int(const IoctlContext& context, uint64_t argument) {
  return mm::copy_in(context.space, mm::UserPtr<int32_t>(argument));
}

}  // namespace

Result<void> Tty::set_termios(uint32_t request, uint64_t argument, const IoctlContext& context) {
  TRY(check_background(kSigTtou));
  Termios t = TRY(mm::copy_in(context.space, mm::UserPtr<Termios>(argument)));
  {
    // TCSETSW waits for output to drain; what stands in the queue has been "sent" to the master already.
    LockGuard guard(lock_);
    if (request == kTcsetsf) discipline_.flush_input();
    t.line = discipline_.termios().line;
    discipline_.set_termios(t);
  }
  wake_both();
  return {};
}

Result<uint64_t> Tty::flush(uint64_t which) {
  if (which > 2) return Errno::inval;
  {
    LockGuard guard(lock_);
    if (which == 0 || which == 2) {
      discipline_.flush_input();
      if (packet_mode_) packet_status_ |= kPacketFlushRead;
    }
    if (which == 1 || which == 2) {
      discipline_.flush_output();
      if (packet_mode_) packet_status_ |= kPacketFlushWrite;
    }
  }
  wake_both();
  return uint64_t{0};
}

Result<uint64_t> Tty::control_ioctl(bool master, uint32_t request, uint64_t argument,
                                    const IoctlContext& context) {
  switch (request) {
    case kTiocsctty:
      if (master) return Errno::notty;
      TRY(become_controlling(argument == 1));
      return uint64_t{0};
    case kTiocnotty:
      if (session() == 0 || session() != job_control::session_of_current()) return Errno::notty;
      if (job_control::current_is_session_leader()) disassociate();
      return uint64_t{0};
    case kTiocgpgrp:
      if (!master && session() != job_control::session_of_current()) return Errno::notty;
      return give<int32_t>(context, argument, job_control::number_of(foreground_group()));
    case kTiocspgrp: {
      if (!master && (session() == 0 || session() != job_control::session_of_current())) return Errno::notty;
      TRY(check_background(kSigTtou));
      int32_t group = TRY(take_int(context, argument));
      if (group < 0) return Errno::inval;
      group = job_control::id_of(group);
      if (group == 0) return Errno::srch;
      TRY(job_control::check_group(group, session()));
      foreground_.store(group, std::memory_order_relaxed);
      return uint64_t{0};
    }
    case kTiocgsid:
      if (session() == 0 || (!master && session() != job_control::session_of_current())) return Errno::notty;
      return give<int32_t>(context, argument, job_control::number_of(session()));
    default:
      return Errno::notty;
  }
}

Result<uint64_t> Tty::master_ioctl(uint32_t request, uint64_t argument, const IoctlContext& context) {
  switch (request) {
    case kTiocgptn:
      return give<uint32_t>(context, argument, index_);
    case kTiocsptlck: {
      int32_t on = TRY(take_int(context, argument));
      locked_.store(on != 0, std::memory_order_relaxed);
      return uint64_t{0};
    }
    case kTiocgptlck:
      return give<int32_t>(context, argument, locked());
    case kTiocpkt: {
      int32_t on = TRY(take_int(context, argument));
      LockGuard guard(lock_);
      packet_mode_ = on != 0;
      packet_status_ = 0;
      return uint64_t{0};
    }
    case kTiocgpkt: {
      int32_t on;
      {
        LockGuard guard(lock_);
        on = packet_mode_;
      }
      return give(context, argument, on);
    }
    default:
      return Errno::notty;
  }
}

// What is queued, who may open, the line discipline's number.
Result<uint64_t> Tty::queue_ioctl(bool master, uint32_t request, uint64_t argument,
                                  const IoctlContext& context) {
  switch (request) {
    case kFionread:
    case kTiocoutq: {
      int32_t n;
      {
        LockGuard guard(lock_);
        bool output = master == (request == kFionread);
        n = static_cast<int32_t>(output ? discipline_.output().size() : discipline_.available());
      }
      return give(context, argument, n);
    }
    case kTiocexcl:
    case kTiocnxcl: {
      LockGuard guard(lock_);
      exclusive_ = request == kTiocexcl;
      return uint64_t{0};
    }
    case kTiocgexcl: {
      int32_t on;
      {
        LockGuard guard(lock_);
        on = exclusive_;
      }
      return give(context, argument, on);
    }
    case kTiocgdev: {  // of the slave, whichever side asks
      constexpr uint32_t kSlaveMajor = 136;
      return give<uint32_t>(context, argument, (index_ & 0xff) | kSlaveMajor << 8 | (index_ & ~0xffu) << 12);
    }
    case kTiocgetd:
      return give<int32_t>(context, argument, 0);
    case kTiocsetd:
      if (TRY(take_int(context, argument)) != 0) return Errno::inval;
      return uint64_t{0};
    default:
      return Errno::notty;
  }
}

Result<uint64_t> Tty::ioctl(bool master, uint32_t request, uint64_t argument, const IoctlContext& context) {
  if (!master) {
    LockGuard guard(lock_);
    if (hung_up_) return request == kTiocspgrp ? Errno::notty : Errno::io;
  }
  switch (request) {
    case kTcgets: {
      Termios t;
      {
        LockGuard guard(lock_);
        t = discipline_.termios();
      }
      return give(context, argument, t);
    }
    case kTcsets:
    case kTcsetsw:
    case kTcsetsf:
      TRY(set_termios(request, argument, context));
      return uint64_t{0};
    case kTcsbrk:
    case kTcsbrkp:
      return uint64_t{0};  // nothing to drain, and a pty has no break
    case kTcflsh:
      TRY(check_background(kSigTtou));
      return flush(argument);
    case kTcxonc: {
      if (argument > 3) return Errno::inval;
      {
        LockGuard guard(lock_);
        if (argument <= 1) discipline_.set_stopped(argument == 0);
      }
      wake_both();
      return uint64_t{0};
    }
    case kTiocgwinsz: {
      WindowSize w;
      {
        LockGuard guard(lock_);
        w = size_;
      }
      return give(context, argument, w);
    }
    case kTiocswinsz:
      set_window_size(TRY(mm::copy_in(context.space, mm::UserPtr<WindowSize>(argument))));
      return uint64_t{0};
    default:
      break;
  }
  auto queue = queue_ioctl(master, request, argument, context);
  if (queue || queue.error() != Errno::notty) return queue;
  auto control = control_ioctl(master, request, argument, context);
  if (control || control.error() != Errno::notty || !master) return control;
  return master_ioctl(request, argument, context);
}

}  // namespace runsc::fs
