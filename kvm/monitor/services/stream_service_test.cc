// Streams, events, and the calls that concern the sandbox as a whole.
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "kvm/monitor/testing/service_fixture.h"
#include "kvm/monitor/tsc.h"

namespace runsc::monitor {
namespace {

using testing::ServiceFixture;
using testing::set_ranges;

struct Pipe {
  UniqueFd read, write;
  Pipe() {
    int fds[2];
    REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
    read.reset(fds[0]);
    write.reset(fds[1]);
  }
};

Result<hc::SizeReply> stream_read(ServiceFixture& s, hc::Handle handle, std::uint64_t size) {
  return s.call<hc::StreamRead>([&](auto& r) {
    r.handle = handle;
    set_ranges(r.ranges, {{ServiceFixture::kBuffer, size}});
  });
}

Result<hc::SizeReply> stream_write(ServiceFixture& s, hc::Handle handle, std::uint64_t size) {
  return s.call<hc::StreamWrite>([&](auto& r) {
    r.handle = handle;
    set_ranges(r.ranges, {{ServiceFixture::kBuffer, size}});
  });
}

Result<hc::StreamPoll::Reply> stream_poll(ServiceFixture& s, hc::Handle handle, unsigned events) {
  return s.call<hc::StreamPoll>([&](auto& r) {
    r.handle = handle;
    r.events = events;
  });
}

class RunningLoop {
 public:
  explicit RunningLoop(EventLoop& loop) : loop_(loop), thread_([&loop] { loop.run(); }) {}
  ~RunningLoop() {
    loop_.stop();
    thread_.join();
  }

 private:
  EventLoop& loop_;
  std::thread thread_;
};

void wait_for_event(ServiceFixture& s) {
  for (int i = 0; i < 2000 && s.shared().events_pending.load() == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  REQUIRE(s.shared().events_pending.exchange(0) == 1);
}

TEST_CASE("pipes never block and leave the flags of the shared description alone", "[monitor][streams]") {
  Pipe in, out;
  int in_fd = ::dup(in.read.get());
  int out_fd = ::dup(out.write.get());
  ServiceFixture s({adopt_donated(UniqueFd(in_fd)), adopt_donated(UniqueFd(out_fd))});
  CHECK((::fcntl(in.read.get(), F_GETFL) & O_NONBLOCK) == 0);
  CHECK(stream_read(s, 0, 10).error() == Errno::again);
  REQUIRE(::write(in.write.get(), "abc", 3) == 3);
  CHECK(stream_poll(s, 0, POLLIN)->events == POLLIN);
  CHECK(stream_read(s, 0, 10)->size == 3);
  CHECK(std::memcmp(s.buffer(), "abc", 3) == 0);
  std::uint64_t written = 0;
  for (;;) {
    auto n = stream_write(s, 1, 1 << 20);
    if (!n) {
      CHECK(n.error() == Errno::again);
      break;
    }
    written += n->size;
  }
  CHECK(written == 65536);
  in.write.reset();
  CHECK(stream_read(s, 0, 10)->size == 0);
  CHECK((stream_poll(s, 0, POLLIN)->events & POLLHUP) != 0);
  out.read.reset();
  ::signal(SIGPIPE, SIG_IGN);
  CHECK(stream_write(s, 1, 1).error() == Errno::pipe);
}

TEST_CASE("a shared socket is asked for readiness first", "[monitor][streams]") {
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
  UniqueFd peer(fds[1]);
  ServiceFixture s({adopt_donated(UniqueFd(fds[0]))});
  CHECK(stream_read(s, 0, 10).error() == Errno::again);
  REQUIRE(::write(peer.get(), "x", 1) == 1);
  CHECK(stream_read(s, 0, 10)->size == 1);
  for (int i = 0;; ++i) {
    REQUIRE(i < 1000);
    auto n = stream_write(s, 0, 1 << 20);
    if (!n) {
      CHECK(n.error() == Errno::again);
      break;
    }
    CHECK(n->size <= 4096);
  }
}

TEST_CASE("plain files as stdio keep the shared offset", "[monitor][streams]") {
  UniqueFd file(::memfd_create("out", MFD_CLOEXEC));
  REQUIRE(::write(file.get(), "head", 4) == 4);
  ServiceFixture s({adopt_donated(UniqueFd(::dup(file.get())))});
  std::memcpy(s.buffer(), "tail", 4);
  CHECK(stream_poll(s, 0, POLLOUT)->events == POLLOUT);
  CHECK(stream_write(s, 0, 4)->size == 4);
  CHECK(::lseek(file.get(), 0, SEEK_CUR) == 8);
}

TEST_CASE("a stream that becomes ready sends one event", "[monitor][streams]") {
  Pipe in;
  ServiceFixture s({adopt_donated(UniqueFd(::dup(in.read.get())))});
  RunningLoop loop(*s.events);
  CHECK(stream_poll(s, 0, POLLIN)->events == 0);
  CHECK(s.shared().events_pending.load() == 0);
  REQUIRE(::write(in.write.get(), "a", 1) == 1);
  wait_for_event(s);
  CHECK(s.cpus.wakes[0] + s.cpus.wakes[1] == 1);
  auto events = s.call<hc::TakeEvents>([](auto&) {});
  REQUIRE(events->count == 1);
  CHECK(events->events[0].kind == hc::EventKind::stream_ready);
  CHECK(events->events[0].handle == 0);
  CHECK(events->events[0].value == POLLIN);
  CHECK(s.call<hc::TakeEvents>([](auto&) {})->count == 0);
  // One shot: more bytes alone say nothing, until it is armed again.
  REQUIRE(stream_read(s, 0, 10)->size == 1);
  CHECK(stream_poll(s, 0, POLLIN)->events == 0);
  in.write.reset();
  wait_for_event(s);
  CHECK((s.call<hc::TakeEvents>([](auto&) {})->events[0].value & POLLHUP) != 0);
}

TEST_CASE("signals and the window size arrive as events", "[monitor][streams]") {
  ServiceFixture s;
  s.shared().cpu[1].state = hostcall::CpuShared::idle;
  RunningLoop loop(*s.events);
  s.events->signal(15);
  wait_for_event(s);
  CHECK(s.cpus.wakes[1] == 1);  // the idle one
  auto events = s.call<hc::TakeEvents>([](auto&) {});
  REQUIRE(events->count == 1);
  CHECK(events->events[0].kind == hc::EventKind::signal);
  CHECK(events->events[0].value == 15);
  s.events->window_size(24, 80);
  wait_for_event(s);
  events = s.call<hc::TakeEvents>([](auto&) {});
  REQUIRE(events->count == 1);
  CHECK(events->events[0].kind == hc::EventKind::window_size);
  CHECK(events->events[0].value == (24U << 16 | 80));
}

TEST_CASE("terminals tell and take their state", "[monitor][streams]") {
  int master = -1, slave = -1;
  REQUIRE(::openpty(&master, &slave, nullptr, nullptr, nullptr) == 0);
  UniqueFd host(master);
  ServiceFixture s({adopt_donated(UniqueFd(slave))});
  auto state = s.call<hc::TtyGet>([](auto& r) { r.handle = 0; });
  REQUIRE(state);
  CHECK(state->is_tty == 1);
  CHECK((state->lflag & ICANON) != 0);
  hc::TtyState raw = *state;
  raw.lflag &= ~static_cast<unsigned>(ICANON | ECHO);
  raw.rows = 50;
  raw.columns = 132;
  for (unsigned what : {1U, 2U}) {
    CHECK(s.call<hc::TtySet>([&](auto& r) {
      r.handle = 0;
      r.what = what;
      r.state = raw;
    }));
  }
  state = s.call<hc::TtyGet>([](auto& r) { r.handle = 0; });
  CHECK((state->lflag & ICANON) == 0);
  CHECK(state->rows == 50);
  CHECK(state->columns == 132);
  REQUIRE(::write(host.get(), "k", 1) == 1);
  CHECK(stream_read(s, 0, 10)->size == 1);
  Pipe pipe;
  ServiceFixture other({adopt_donated(UniqueFd(::dup(pipe.read.get())))});
  CHECK(other.call<hc::TtyGet>([](auto& r) { r.handle = 0; })->is_tty == 0);
}

TEST_CASE("system calls of the sandbox", "[monitor][streams]") {
  Pipe log;
  ServiceFixture s({}, log.write.get());
  CHECK(s.call<hc::Log>([](auto& r) {
    r.length = 5;
    std::memcpy(r.text, "boot\n", 5);
  }));
  char line[64];
  CHECK(::read(log.read.get(), line, sizeof line) == 5);

  auto anchor = s.call<hc::ClockAnchor>([](auto&) {});
  REQUIRE(anchor);
  CHECK(anchor->tsc <= read_tsc());
  CHECK(anchor->realtime_ns > 1'600'000'000'000'000'000);

  auto random = s.call<hc::Random>([](auto& r) { r.size = 256; });
  CHECK(std::count(random->bytes, random->bytes + 256, 0) < 32);
  CHECK(s.call<hc::Random>([](auto& r) { r.size = 257; }).error() == Errno::inval);

  CHECK(s.call<hc::MemoryGrow>([](auto& r) { r.phys_end = 17 * kMiB; })->phys_end == 64 * kMiB);
  CHECK(s.call<hc::MemoryGrow>([](auto& r) { r.phys_end = 65 * kMiB; }).error() == Errno::nomem);
  CHECK(s.call<hc::MemoryGrow>([](auto& r) { r.phys_end = ~std::uint64_t{0}; }).error() == Errno::nomem);
  s.buffer()[0] = std::byte{1};
  CHECK(s.call<hc::MemoryRelease>([](auto& r) { set_ranges(r, {{ServiceFixture::kBuffer, 4096}}); }));
  CHECK(s.buffer()[0] == std::byte{0});
  CHECK(s.call<hc::MemoryRelease>([](auto& r) { set_ranges(r, {{1, 4096}}); }).error() == Errno::inval);

  CHECK(s.call<hc::CpuWake>([](auto& r) { r.cpu_mask = ~std::uint64_t{0}; }));
  CHECK(s.cpus.wakes[0] == 1);
  CHECK(s.cpus.wakes[1] == 1);
  CHECK(s.cpus.wakes[2] == 0);
  CHECK(s.call<hc::CpuIdle>([](auto&) {}));
  CHECK(s.cpus.idles == 1);
  CHECK(s.call<hc::Exit>([](auto& r) { r.wait_status = 0x700; }));
  CHECK(s.end.status == 0x700);
  CHECK(s.call<hc::Panic>([](auto& r) {
    r.reason_length = 4;
    std::memcpy(r.reason, "oops", 4);
  }));
  CHECK(s.end.reason == "oops");
}

TEST_CASE("unknown and hostile calls are errors", "[monitor][streams]") {
  ServiceFixture s;
  std::uint64_t seed = 88172645463325252;
  auto next = [&] {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
  };
  for (std::uint32_t number : {0U, 30U, 31U, 69U, 1000U, ~0U}) {
    s.frame().number = number;
    s.server->serve(0, s.frame());
    CHECK(s.frame().error == static_cast<int>(Errno::nosys));
  }
  // Random frames: any answer, no harm.
  for (int round = 0; round < 20000; ++round) {
    auto* words = reinterpret_cast<std::uint64_t*>(s.frame().body);
    for (int i = 0; i < 64; ++i) {
      std::uint64_t v = next();
      words[i] = v % 3 == 0 ? v : v % 3 == 1 ? v & 0xff : v & 0xfff'ffff;
    }
    std::uint32_t number = static_cast<std::uint32_t>(next() % 70);
    s.frame().number = number;
    s.server->serve(0, s.frame());
  }
}

}  // namespace
}  // namespace runsc::monitor
