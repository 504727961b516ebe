#include "kvm/monitor/services/commands.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kvm/monitor/services/services.h"

namespace runsc::monitor {

Expected<std::unique_ptr<CommandQueue>> CommandQueue::create() {
  std::unique_ptr<CommandQueue> queue(new CommandQueue);
  queue->wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!queue->wake_.valid()) return fail_errno("eventfd", errno);
  return queue;
}

std::uint32_t CommandQueue::submit(Command command) {
  std::scoped_lock lock(mutex_);
  if (++last_id_ == 0) last_id_ = 1;
  submitted_.emplace_back(last_id_, std::move(command));
  return last_id_;
}

std::vector<Notice> CommandQueue::take_notices() {
  std::uint64_t count = 0;
  (void)!::read(wake_.get(), &count, sizeof count);
  std::scoped_lock lock(mutex_);
  return std::exchange(notices_, {});
}

std::optional<StartFailure> CommandQueue::start_failure() const {
  std::scoped_lock lock(mutex_);
  return start_failure_;
}

bool CommandQueue::waiting() const {
  std::scoped_lock lock(mutex_);
  return !submitted_.empty();
}

void CommandQueue::take(hostcall::TakeCommand::Reply& reply) {
  std::scoped_lock lock(mutex_);
  if (submitted_.empty()) return;
  auto& [id, command] = submitted_.front();
  reply.id = id;
  reply.kind = command.kind;
  reply.process = command.process;
  reply.value = command.value;
  reply.flags = command.flags;
  reply.container = command.container;
  reply.body_size = static_cast<std::uint32_t>(command.body.size());
  taken_[id].body = std::move(command.body);
  submitted_.pop_front();
}

Result<void> CommandQueue::read(const hostcall::ReadCommand::Request& request,
                                hostcall::ReadCommand::Reply& reply) const {
  std::scoped_lock lock(mutex_);
  const auto it = taken_.find(request.id);
  if (it == taken_.end()) return Errno::noent;
  const std::string& body = it->second.body;
  if (request.offset > body.size()) return Errno::inval;
  const std::size_t n = std::min(body.size() - request.offset, sizeof reply.bytes);
  std::memcpy(reply.bytes, body.data() + request.offset, n);
  reply.size = static_cast<std::uint32_t>(n);
  return {};
}

Result<void> CommandQueue::answer(const hostcall::AnswerCommand::Request& request) {
  if (request.length > sizeof request.text) return Errno::inval;
  const std::string_view text(request.text, request.length);
  std::scoped_lock lock(mutex_);
  if (request.id == 0) {
    if (!start_failure_) start_failure_ = StartFailure{request.status, std::string(text)};
    return {};
  }
  const auto it = taken_.find(request.id);
  if (it == taken_.end()) return Errno::noent;
  std::string& whole = it->second.answer;
  if (whole.size() + text.size() > kMostText) return Errno::nobufs;
  whole += text;
  if (request.last == 0) return {};
  Notice notice{Notice::Kind::answer, request.id, request.status, request.value, 0, std::move(whole)};
  taken_.erase(it);
  put(std::move(notice));
  return {};
}

void CommandQueue::ended(const hostcall::ProcessEnded::Request& request) {
  std::scoped_lock lock(mutex_);
  put({Notice::Kind::ended, 0, request.wait_status & 0xffff, 0, request.process, {}});
}

void CommandQueue::ready() {
  std::scoped_lock lock(mutex_);
  put({Notice::Kind::ready, 0, 0, 0, 0, {}});
}

void CommandQueue::out_of_memory(const hostcall::ContainerOom::Request& request) {
  std::scoped_lock lock(mutex_);
  put({Notice::Kind::oom, 0, 0, 0, request.container, {}});
}

void CommandQueue::put(Notice notice) {
  // Whoever floods hears no more of what it says.
  if (notices_.size() >= kMostNotices) return;
  notices_.push_back(std::move(notice));
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

Result<void> serve_take_command(Services& s, hc::TakeCommand::Reply& reply) {
  s.commands.take(reply);
  return {};
}

Result<void> serve_read_command(Services& s, const hc::ReadCommand::Request& request,
                                hc::ReadCommand::Reply& reply) {
  return s.commands.read(request, reply);
}

Result<void> serve_answer_command(Services& s, const hc::AnswerCommand::Request& request) {
  return s.commands.answer(request);
}

Result<void> serve_process_ended(Services& s, const hc::ProcessEnded::Request& request) {
  s.commands.ended(request);
  return {};
}

Result<void> serve_container_oom(Services& s, const hc::ContainerOom::Request& request) {
  s.commands.out_of_memory(request);
  return {};
}

Result<void> serve_container_ready(Services& s, const hc::Empty&) {
  s.commands.ready();
  return {};
}

}  // namespace runsc::monitor
