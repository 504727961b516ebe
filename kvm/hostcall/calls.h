// The table of hostcalls: numbers, requests and replies. All integers are host byte order; every struct is
// plain data without padding surprises (checked below). The monitor validates everything; error values are
// Errno numbers.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kvm/hostcall/call_types.h"
#include "kvm/hostcall/control_calls.h"
#include "kvm/hostcall/file_calls.h"
#include "kvm/hostcall/frame.h"
#include "kvm/hostcall/wire_calls.h"

namespace runsc::hostcall {

struct Log {
  static constexpr Number kNumber = Number::log;
  struct Request {
    uint32_t level, length;
    char text[1024];
  };
  using Reply = Empty;
};
struct Exit {  // does not return
  static constexpr Number kNumber = Number::exit;
  struct Request {
    uint32_t wait_status;  // as wait(2) gives it for the container's init
    uint32_t reserved;
  };
  using Reply = Empty;
};
struct Panic {  // does not return: prints a report and ends the sandbox
  static constexpr Number kNumber = Number::panic;
  struct Request {
    uint64_t rip, rsp, rbp;
    uint32_t line, file_length, reason_length, reserved;
    char file[256];
    char reason[256];
  };
  using Reply = Empty;
};
struct ClockAnchor {
  static constexpr Number kNumber = Number::clock_anchor;
  using Request = Empty;
  struct Reply {
    uint64_t tsc;  // at which the others held
    int64_t realtime_ns, monotonic_ns;
  };
};
struct Random {
  static constexpr Number kNumber = Number::random;
  struct Request {
    uint32_t size, reserved;  // 1..256
  };
  struct Reply {
    uint8_t bytes[256];
  };
};
struct MemoryGrow {  // makes RAM up to phys_end usable; ENOMEM above the limit
  static constexpr Number kNumber = Number::memory_grow;
  struct Request {
    uint64_t phys_end;
  };
  struct Reply {
    uint64_t phys_end;  // reached, >= asked
  };
};
struct MemoryRelease {  // gives RAM back to the host; reads as zeros afterwards
  static constexpr Number kNumber = Number::memory_release;
  using Request = Ranges;
  using Reply = Empty;
};
struct CpuIdle {  // returns at the deadline, at a wake of this CPU since the last CpuIdle returned, or early
  static constexpr Number kNumber = Number::cpu_idle;
  struct Request {
    uint64_t deadline_tsc;  // ~0: none
  };
  using Reply = Empty;
};
struct CpuWake {  // ends CpuIdle of the CPUs in the mask; pulls one that runs user code out of it
                  // (Trap::interrupt)
  static constexpr Number kNumber = Number::cpu_wake;
  struct Request {
    uint64_t cpu_mask;
  };
  using Reply = Empty;
};

enum class EventKind : uint32_t { stream_ready = 1, signal = 2, window_size = 3, command = 4, changes = 5 };
struct Event {
  EventKind kind;
  uint32_t handle;  // stream_ready
  uint32_t value;   // stream_ready: poll(2) bits; signal: number for the container's init; window_size:
                    // rows<<16|cols
  uint32_t reserved;
};
struct TakeEvents {  // what Shared::events_pending announced
  static constexpr Number kNumber = Number::take_events;
  using Request = Empty;
  struct Reply {
    uint32_t count, reserved;
    Event events[64];
  };
};

// Streams never block: EAGAIN when nothing can be moved.
struct StreamRead {
  static constexpr Number kNumber = Number::stream_read;
  using Request = ReadWriteRequest;
  using Reply = SizeReply;
};
struct StreamWrite {
  static constexpr Number kNumber = Number::stream_write;
  using Request = ReadWriteRequest;
  using Reply = SizeReply;
};
struct StreamPoll {  // readiness now; bits asked for that are not ready arm one stream_ready event
  static constexpr Number kNumber = Number::stream_poll;
  struct Request {
    Handle handle;
    uint32_t events;  // poll(2) bits
  };
  struct Reply {
    uint32_t events, reserved;
  };
};
struct TtyState {
  uint32_t is_tty;
  uint32_t iflag, oflag, cflag, lflag;
  uint16_t rows, columns;
  uint8_t line;
  uint8_t cc[19];
};
struct TtyGet {
  static constexpr Number kNumber = Number::tty_get;
  using Request = HandleRequest;
  using Reply = TtyState;
};
struct TtySet {
  static constexpr Number kNumber = Number::tty_set;
  struct Request {
    Handle handle;
    uint32_t what;  // 1: termios (TCSETSW), 2: window size
    TtyState state;
  };
  using Reply = Empty;
};

template <class Call>
concept HostCall = std::is_trivially_copyable_v<typename Call::Request> &&
                       std::is_trivially_copyable_v<typename Call::Reply> &&
                       sizeof(typename Call::Request) <= kBodySize
                   && sizeof(typename Call::Reply) <= kBodySize;

}  // namespace runsc::hostcall
