// The host side of every hostcall, one function each. A service gets a private copy of the request, judges it
// with the parsers of valid.h before anything else, and fills the reply in place (replies are up to a page,
// too large to travel as values). Errors are errno values as the host or the parsers gave them.
#pragma once

#include <atomic>
#include <cstdint>

#include "kernel/base/result.h"
#include "kvm/hostcall/calls.h"
#include "kvm/monitor/guest_memory.h"
#include "kvm/monitor/services/commands.h"
#include "kvm/monitor/services/cpu_control.h"
#include "kvm/monitor/services/event_loop.h"
#include "kvm/monitor/services/file_table.h"
#include "kvm/monitor/services/host_watches.h"
#include "kvm/monitor/services/valid.h"
#include "kvm/monitor/wire/wire_set.h"

namespace runsc::monitor {

// How a sandbox ends, as the services see it.
class SandboxEnd {
 public:
  virtual ~SandboxEnd() = default;
  // The container's init is gone; may return, the calling CPU then runs no further.
  virtual void finish(std::uint32_t wait_status) = 0;
  // The sentry gave up.
  virtual void panic(unsigned cpu, const ValidPanic& panic) = 0;
};

struct Services {
  GuestMemory& memory;
  FileTable& files;
  EventLoop& events;
  HostWatches& watches;
  CommandQueue& commands;
  const WireSet& wires;
  CpuControl& cpus;
  SandboxEnd& end;
  Bounds bounds;
  int log_fd;               // -1: nowhere
  std::int64_t tsc_offset;  // what the sentry's TSC is ahead of this process's
};

namespace hc = hostcall;

// system_service.cc
Result<void> serve_log(Services&, const hc::Log::Request&);
Result<void> serve_clock_anchor(Services&, hc::ClockAnchor::Reply&);
Result<void> serve_random(Services&, const hc::Random::Request&, hc::Random::Reply&);
Result<void> serve_memory_grow(Services&, const hc::MemoryGrow::Request&, hc::MemoryGrow::Reply&);
Result<void> serve_memory_release(Services&, const hc::Ranges&);
Result<void> serve_take_events(Services&, hc::TakeEvents::Reply&);

// commands.cc
Result<void> serve_take_command(Services&, hc::TakeCommand::Reply&);
Result<void> serve_read_command(Services&, const hc::ReadCommand::Request&, hc::ReadCommand::Reply&);
Result<void> serve_answer_command(Services&, const hc::AnswerCommand::Request&);
Result<void> serve_process_ended(Services&, const hc::ProcessEnded::Request&);
Result<void> serve_container_oom(Services&, const hc::ContainerOom::Request&);
Result<void> serve_container_ready(Services&, const hc::Empty&);

// path_service.cc
Result<void> serve_stat_path(Services&, const hc::PathArg&, hc::HostStat&);
Result<void> serve_open_path(Services&, const hc::OpenPath::Request&, hc::OpenPath::Reply&);
Result<void> serve_read_link(Services&, const hc::PathArg&, hc::ReadLink::Reply&);
Result<void> serve_set_attr(Services&, const hc::SetAttr::Request&, hc::HostStat&);
Result<void> serve_make_node(Services&, const hc::MakeNode::Request&, hc::HostStat&);
Result<void> serve_make_link(Services&, const hc::TwoPaths&, hc::HostStat&);
Result<void> serve_unlink(Services&, const hc::Unlink::Request&);
Result<void> serve_rename(Services&, const hc::TwoPaths&);
// xattr_service.cc
Result<void> serve_get_xattr(Services&, const hc::XattrRequest&, hc::XattrReply&);
Result<void> serve_set_xattr(Services&, const hc::XattrRequest&);
Result<void> serve_list_xattr(Services&, const hc::PathArg&, hc::XattrReply&);

// file_service.cc
Result<void> serve_close(Services&, const hc::HandleRequest&);
Result<void> serve_stat(Services&, const hc::HandleRequest&, hc::HostStat&);
Result<void> serve_read_dir(Services&, const hc::ReadDir::Request&, hc::ReadDir::Reply&);
Result<void> serve_read(Services&, const hc::ReadWriteRequest&, hc::SizeReply&);
Result<void> serve_write(Services&, const hc::ReadWriteRequest&, hc::SizeReply&);
Result<void> serve_map_window(Services&, const hc::MapWindow::Request&, hc::MapWindow::Reply&);
Result<void> serve_unmap_window(Services&, const hc::PhysRange&);
Result<void> serve_truncate(Services&, const hc::Truncate::Request&);
Result<void> serve_sync(Services&, const hc::HandleRequest&);
Result<void> serve_allocate(Services&, const hc::Allocate::Request&);
Result<void> serve_stat_fs(Services&, const hc::HandleRequest&, hc::StatFs::Reply&);
Result<void> serve_seek_data(Services&, const hc::SeekData::Request&, hc::SizeReply&);

// wire_service.cc
Result<void> serve_wire_attach(Services&, const hc::WireAttach::Request&);
Result<void> serve_wire_kick(Services&, const hc::WireKick::Request&);

// watch_service.cc
Result<void> serve_watch(Services&, const hc::Watch::Request&);
Result<void> serve_unwatch(Services&, const hc::Unwatch::Request&);
Result<void> serve_take_changes(Services&, hc::TakeChanges::Reply&);

// stream_service.cc
Result<void> serve_stream_read(Services&, const hc::ReadWriteRequest&, hc::SizeReply&);
Result<void> serve_stream_write(Services&, const hc::ReadWriteRequest&, hc::SizeReply&);
Result<void> serve_stream_poll(Services&, const hc::StreamPoll::Request&, hc::StreamPoll::Reply&);
Result<void> serve_tty_get(Services&, const hc::HandleRequest&, hc::TtyState&);
Result<void> serve_tty_set(Services&, const hc::TtySet::Request&);

// The ranges as host memory, for readv(2) and its kin. Returns how many were written to `out`.
unsigned to_iovecs(const GuestMemory& memory, const ValidRanges& ranges,
                   std::span<iovec, hc::kMaxRanges> out);

}  // namespace runsc::monitor
