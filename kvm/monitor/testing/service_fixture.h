// The services of a sandbox without a sentry: a test fills frames as a sentry would.
#pragma once

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kvm/monitor/services/hostcall_server.h"
#include "kvm/monitor/testing/test_guest.h"

namespace runsc::monitor::testing {

class FakeCpus final : public CpuControl {
 public:
  void wake(unsigned cpu) override { wakes[cpu].fetch_add(1); }
  void idle(unsigned, std::uint64_t) override { ++idles; }
  std::atomic<int> wakes[hostcall::kMaxCpus] = {};
  int idles = 0;
};

class FakeEnd final : public SandboxEnd {
 public:
  void finish(std::uint32_t wait_status) override { status = wait_status; }
  void panic(unsigned, const ValidPanic& p) override { reason = p.reason; }
  std::optional<std::uint32_t> status;
  std::string reason;
};

class ServiceFixture {
 public:
  static constexpr std::uint64_t kShared = 0x700000;
  static constexpr std::uint64_t kBuffer = 0x800000;

  explicit ServiceFixture(std::vector<HostFileRef> donated = {}, int log_fd = -1);

  // Serves one call. The reply, or the error.
  template <class Call, class Fill>
  Result<typename Call::Reply> call(Fill&& fill) {
    auto request = std::make_unique<typename Call::Request>();
    std::memset(static_cast<void*>(request.get()), 0, sizeof *request);
    fill(*request);
    frame_->number = static_cast<std::uint32_t>(Call::kNumber);
    std::memcpy(frame_->body, request.get(), sizeof *request);
    server->serve(0, *frame_);
    if (frame_->error != 0) return static_cast<Errno>(frame_->error);
    typename Call::Reply reply;
    std::memcpy(static_cast<void*>(&reply), frame_->body, sizeof reply);
    return reply;
  }
  hostcall::Frame& frame() { return *frame_; }
  std::byte* buffer() { return guest.memory().at(kBuffer); }
  hostcall::Shared& shared() { return *reinterpret_cast<hostcall::Shared*>(guest.memory().at(kShared)); }

  TestGuest guest;
  FakeCpus cpus;
  FakeEnd end;
  FileTable files;
  HostWatches watches;
  std::unique_ptr<EventLoop> events;
  std::unique_ptr<CommandQueue> commands;
  WireSet wires;
  std::unique_ptr<Services> services;
  std::unique_ptr<HostcallServer> server;

 private:
  std::unique_ptr<hostcall::Frame> frame_ = std::make_unique<hostcall::Frame>();
};

void set_path(hostcall::PathArg& to, std::string_view path, hostcall::Handle root = 0);
void set_ranges(hostcall::Ranges& to, std::initializer_list<hostcall::PhysRange> ranges);

// A directory that is gone after the test.
class ScratchDir {
 public:
  ScratchDir();
  ~ScratchDir();
  const std::string& path() const { return path_; }
  void write(const std::string& name, const std::string& text) const;
  std::string read(const std::string& name) const;
  HostFileRef donate() const;

 private:
  std::string path_;
};

}  // namespace runsc::monitor::testing
