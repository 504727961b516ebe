// Hostcalls by which the host steers what runs: commands that it has for the sentry, and what became of them.
#pragma once

#include <cstdint>

#include "kvm/hostcall/call_types.h"

namespace runsc::hostcall {

// What the host started itself, by the number that it gave it: the container's init is kInitProcess.
using ProcessNumber = uint32_t;
inline constexpr ProcessNumber kInitProcess = 0;

// A container goes by the number of its init.
using ContainerNumber = ProcessNumber;
inline constexpr ContainerNumber kFirstContainer = kInitProcess;

enum class CommandKind : uint32_t {
  start = 1,  // the container's init, which waits for it, executes; answered when it has
  execute,    // a process joins the container; body: container_spec.h, the process; answered with its pid
  signal,     // to a process, value: the number; flags: kSignalAll
  resize,     // value: rows << 16 | columns of the process's terminal
  processes,  // of the container; answered with lines "PID PPID UID START_NS CPU_NS NUMBER COMMAND"
  pause,      // answered when every task was told: at once, but for what is on its way out of user code
  resume,
  create,      // a further container, named by `process`; body: container_spec.h; flags: kOwnPid...; answered
               // with the pid of its init when that waits for `start`
  update,      // new limits; body: container_spec.h, Limits. Refused where more memory than that is in use
  statistics,  // answered with lines "NAME VALUE" (kernel/control/statistics.cc)
  network,     // interfaces of the host for the sandbox; body: network_spec.h; answered when they are there
};
inline constexpr uint32_t kSignalAll = 1;  // every process of the container
// What a further container does not share with the first one.
inline constexpr uint32_t kOwnPid = 1, kOwnIpc = 2, kOwnUts = 4;

struct TakeCommand {  // what EventKind::command announced; each is given once
  static constexpr Number kNumber = Number::take_command;
  using Request = Empty;
  struct Reply {
    uint32_t id;  // 0: none waits
    CommandKind kind;
    ProcessNumber process;
    uint32_t value, flags;
    ContainerNumber container;
    uint32_t body_size;
  };
};
struct ReadCommand {  // the body of a command that was taken and has no last answer yet
  static constexpr Number kNumber = Number::read_command;
  struct Request {
    uint32_t id, offset;
  };
  struct Reply {
    uint32_t size, reserved;
    std::byte bytes[8192];
  };
};
struct AnswerCommand {
  static constexpr Number kNumber = Number::answer_command;
  struct Request {
    uint32_t id;      // 0: no command; status and text say why the init did not start
    uint32_t last;    // no more parts follow
    uint32_t status;  // 0: done, value and text say more; else the exit status of a failure that text names
    int32_t value;
    uint32_t length, reserved;
    char text[8192];
  };
  using Reply = Empty;
};
struct ProcessEnded {  // and was reaped; never for the first init (Exit)
  static constexpr Number kNumber = Number::process_ended;
  struct Request {
    ProcessNumber process;
    uint32_t wait_status;
  };
  using Reply = Empty;
};
struct ContainerOom {  // a process was killed because the container, or the sandbox, had no memory left
  static constexpr Number kNumber = Number::container_oom;
  struct Request {
    ContainerNumber container;
    uint32_t reserved;
  };
  using Reply = Empty;
};
struct ContainerReady {  // the first init waits for CommandKind::start
  static constexpr Number kNumber = Number::container_ready;
  using Request = Empty;
  using Reply = Empty;
};

}  // namespace runsc::hostcall
