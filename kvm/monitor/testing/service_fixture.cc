#include "kvm/monitor/testing/service_fixture.h"

#include <fcntl.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>

namespace runsc::monitor::testing {

ServiceFixture::ServiceFixture(std::vector<HostFileRef> donated, int log_fd) : files(std::move(donated)) {
  auto loop = EventLoop::create();
  REQUIRE(loop);
  events = std::move(*loop);
  watches.attach([this](int fd) { return events->listen(fd, [this] { return watches.drain(); }); },
                 [this] { events->changes(); });
  auto queue = CommandQueue::create();
  REQUIRE(queue);
  commands = std::move(*queue);
  new (guest.memory().at(kShared)) hostcall::Shared{};
  events->attach(shared(), cpus, 2);
  services = std::unique_ptr<Services>(new Services{guest.memory(),
                                                    files,
                                                    *events,
                                                    watches,
                                                    *commands,
                                                    wires,
                                                    cpus,
                                                    end,
                                                    {guest.memory().limit(), 2},
                                                    log_fd,
                                                    0});
  server = std::make_unique<HostcallServer>(*services, 1);
}

void set_path(hostcall::PathArg& to, std::string_view path, hostcall::Handle root) {
  to.root = root;
  to.length = static_cast<std::uint32_t>(path.size());
  std::memcpy(to.bytes, path.data(), std::min<std::size_t>(path.size(), sizeof to.bytes));
}

void set_ranges(hostcall::Ranges& to, std::initializer_list<hostcall::PhysRange> ranges) {
  to.count = static_cast<std::uint32_t>(ranges.size());
  std::copy(ranges.begin(), ranges.end(), to.at);
}

ScratchDir::ScratchDir() {
  char name[] = "/tmp/runsc-test-XXXXXX";
  REQUIRE(::mkdtemp(name) != nullptr);
  path_ = name;
}

ScratchDir::~ScratchDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void ScratchDir::write(const std::string& name, const std::string& text) const {
  std::ofstream(path_ + "/" + name) << text;
}

std::string ScratchDir::read(const std::string& name) const {
  std::ifstream in(path_ + "/" + name);
  return {std::istreambuf_iterator<char>(in), {}};
}

HostFileRef ScratchDir::donate() const {
  return adopt_donated(UniqueFd(::open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)));
}

}  // namespace runsc::monitor::testing
