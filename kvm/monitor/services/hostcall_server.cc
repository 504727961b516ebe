#include "kvm/monitor/services/hostcall_server.h"

#include <fmt/format.h>

#include <atomic>
#include <cstring>
#include <new>

namespace runsc::monitor {

using hostcall::Frame;
using hostcall::Number;

HostcallServer::HostcallServer(Services& services, unsigned cpus) : services_(services) {
  for (unsigned i = 0; i < cpus; ++i) private_.push_back(std::make_unique<Private>());
}

// SAFETY: the requests are trivially copyable; the copy is the only thing that is looked at afterwards.
template <class Call>
const typename Call::Request& HostcallServer::copy_request(unsigned cpu, const Frame& frame) {
  auto* request = new (private_[cpu]->request) typename Call::Request;
  std::memcpy(static_cast<void*>(request), frame.body, sizeof *request);
  return *request;
}

template <class Call>
typename Call::Reply& HostcallServer::make_reply(unsigned cpu, std::size_t& reply_size) {
  reply_size = std::is_empty_v<typename Call::Reply> ? 0 : sizeof(typename Call::Reply);
  return *new (private_[cpu]->reply) typename Call::Reply{};
}

void HostcallServer::serve(unsigned cpu, Frame& frame) {
  const auto number = static_cast<Number>(std::atomic_ref(frame.number).load(std::memory_order_relaxed));
  if (auto n = static_cast<std::uint32_t>(number); n < kNumbers) {
    std::atomic<std::uint64_t>& count = private_[cpu]->counts[n];
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  std::size_t reply_size = 0;
  Result<void> result = dispatch(cpu, number, frame, reply_size);
  if (result) {
    std::memcpy(frame.body, private_[cpu]->reply, reply_size);
    frame.error = 0;
  } else {
    frame.error = static_cast<std::int32_t>(result.error());
  }
}

std::string HostcallServer::describe_counts() const {
  std::string text;
  for (unsigned n = 0; n < kNumbers; ++n) {
    std::uint64_t sum = 0;
    for (const auto& p : private_) sum += p->counts[n].load(std::memory_order_relaxed);
    if (sum != 0) text += fmt::format("{}{}:{}", text.empty() ? "" : " ", n, sum);
  }
  return text;
}

// A call with a request alone, a reply alone, or both.
#define REQUEST_ONLY(call, function)       \
  case hc::call::kNumber:                  \
    make_reply<hc::call>(cpu, reply_size); \
    return function(services_, copy_request<hc::call>(cpu, frame))
#define REPLY_ONLY(call, function) \
  case hc::call::kNumber:          \
    return function(services_, make_reply<hc::call>(cpu, reply_size))
#define BOTH(call, function) \
  case hc::call::kNumber:    \
    return function(services_, copy_request<hc::call>(cpu, frame), make_reply<hc::call>(cpu, reply_size))

Result<void> HostcallServer::dispatch(unsigned cpu, Number number, const Frame& frame,
                                      std::size_t& reply_size) {
  switch (number) {
    BOTH(StatPath, serve_stat_path);
    BOTH(OpenPath, serve_open_path);
    REQUEST_ONLY(Close, serve_close);
    BOTH(Stat, serve_stat);
    BOTH(ReadLink, serve_read_link);
    BOTH(ReadDir, serve_read_dir);
    BOTH(Read, serve_read);
    BOTH(Write, serve_write);
    BOTH(MapWindow, serve_map_window);
    REQUEST_ONLY(UnmapWindow, serve_unmap_window);
    BOTH(StreamRead, serve_stream_read);
    BOTH(StreamWrite, serve_stream_write);
    BOTH(StreamPoll, serve_stream_poll);
    REQUEST_ONLY(WireKick, serve_wire_kick);
    default:
      return dispatch_system(cpu, number, frame, reply_size);
  }
}

Result<void> HostcallServer::dispatch_system(unsigned cpu, Number number, const Frame& frame,
                                             std::size_t& reply_size) {
  switch (number) {
    REQUEST_ONLY(Log, serve_log);
    REPLY_ONLY(ClockAnchor, serve_clock_anchor);
    BOTH(Random, serve_random);
    BOTH(MemoryGrow, serve_memory_grow);
    REQUEST_ONLY(MemoryRelease, serve_memory_release);
    REPLY_ONLY(TakeEvents, serve_take_events);
    case Number::exit:
      services_.end.finish(copy_request<hc::Exit>(cpu, frame).wait_status);
      return {};
    case Number::panic:
      services_.end.panic(cpu, parse_panic(copy_request<hc::Panic>(cpu, frame)));
      return {};
    case Number::cpu_idle:
      services_.cpus.idle(cpu, copy_request<hc::CpuIdle>(cpu, frame).deadline_tsc);
      return {};
    case Number::cpu_wake: {
      const std::uint64_t mask = copy_request<hc::CpuWake>(cpu, frame).cpu_mask;
      for (unsigned i = 0; i < services_.bounds.cpus; ++i) {
        if ((mask >> i & 1) != 0) services_.cpus.wake(i);
      }
      return {};
    }
      REPLY_ONLY(TakeCommand, serve_take_command);
      BOTH(ReadCommand, serve_read_command);
      REQUEST_ONLY(AnswerCommand, serve_answer_command);
      REQUEST_ONLY(ProcessEnded, serve_process_ended);
      REQUEST_ONLY(ContainerOom, serve_container_oom);
      REQUEST_ONLY(ContainerReady, serve_container_ready);
      REQUEST_ONLY(WireAttach, serve_wire_attach);
    default:
      return dispatch_files(cpu, number, frame, reply_size);
  }
}

Result<void> HostcallServer::dispatch_files(unsigned cpu, Number number, const Frame& frame,
                                            std::size_t& reply_size) {
  switch (number) {
    BOTH(SetAttr, serve_set_attr);
    REQUEST_ONLY(Truncate, serve_truncate);
    REQUEST_ONLY(Sync, serve_sync);
    REQUEST_ONLY(Allocate, serve_allocate);
    BOTH(StatFs, serve_stat_fs);
    BOTH(MakeNode, serve_make_node);
    BOTH(MakeLink, serve_make_link);
    REQUEST_ONLY(Unlink, serve_unlink);
    REQUEST_ONLY(Rename, serve_rename);
    BOTH(GetXattr, serve_get_xattr);
    REQUEST_ONLY(SetXattr, serve_set_xattr);
    BOTH(ListXattr, serve_list_xattr);
    BOTH(SeekData, serve_seek_data);
    REQUEST_ONLY(Watch, serve_watch);
    REQUEST_ONLY(Unwatch, serve_unwatch);
    REPLY_ONLY(TakeChanges, serve_take_changes);
    BOTH(TtyGet, serve_tty_get);
    REQUEST_ONLY(TtySet, serve_tty_set);
    default:
      return Errno::nosys;
  }
}

#undef REQUEST_ONLY
#undef REPLY_ONLY
#undef BOTH

}  // namespace runsc::monitor
