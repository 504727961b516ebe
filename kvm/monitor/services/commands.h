// Commands of the host for the sentry, and what the sentry says about them (kvm/hostcall/control_calls.h).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "kernel/base/result.h"
#include "kvm/hostcall/calls.h"
#include "kvm/monitor/error.h"
#include "kvm/monitor/unique_fd.h"

namespace runsc::monitor {

struct Command {
  hostcall::CommandKind kind{};
  hostcall::ProcessNumber process = 0;
  std::uint32_t value = 0, flags = 0;
  hostcall::ContainerNumber container = 0;
  std::string body;  // at most kMostBody
  static constexpr std::size_t kMostBody = std::size_t{4} << 20;
};

// What the sentry said. It is not trusted: texts are bounded, numbers are of commands that wait, order is
// anything.
struct Notice {
  enum class Kind : std::uint8_t { ready, answer, ended, oom } kind{};
  std::uint32_t id = 0;                 // answer: of which command
  std::uint32_t status = 0;             // answer: 0 or the exit status of a failure; ended: wait status
  std::int32_t value = 0;               // answer
  hostcall::ProcessNumber process = 0;  // ended; oom: the container
  std::string text;                     // answer
};

struct StartFailure {
  std::uint32_t status;
  std::string text;
};

// Thread-safe.
class CommandQueue {
 public:
  static Expected<std::unique_ptr<CommandQueue>> create();

  // ---- The host's side.
  // The number under which the answer comes. The caller then wakes the sentry.
  std::uint32_t submit(Command command);
  int notices_fd() const { return wake_.get(); }  // readable when there are notices
  std::vector<Notice> take_notices();
  // Why the init did not start, if the sentry said so.
  std::optional<StartFailure> start_failure() const;

  // ---- The sentry's side.
  bool waiting() const;
  void take(hostcall::TakeCommand::Reply& reply);
  // ENOENT, EINVAL.
  Result<void> read(const hostcall::ReadCommand::Request& request, hostcall::ReadCommand::Reply& reply) const;
  Result<void> answer(const hostcall::AnswerCommand::Request& request);
  void ended(const hostcall::ProcessEnded::Request& request);
  void ready();
  void out_of_memory(const hostcall::ContainerOom::Request& request);

 private:
  struct Taken {
    std::string body;
    std::string answer;
  };
  static constexpr std::size_t kMostText = std::size_t{4} << 20;
  static constexpr std::size_t kMostNotices = 65536;
  CommandQueue() = default;
  void put(Notice notice);  // mutex_ held

  UniqueFd wake_;  // eventfd
  mutable std::mutex mutex_;
  std::uint32_t last_id_ = 0;
  std::deque<std::pair<std::uint32_t, Command>> submitted_;
  std::map<std::uint32_t, Taken> taken_;
  std::vector<Notice> notices_;
  std::optional<StartFailure> start_failure_;
};

}  // namespace runsc::monitor
