#include "kvm/monitor/wire/wire_pump.h"

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <new>
#include <random>
#include <string>

#include "kvm/monitor/testing/service_fixture.h"
#include "kvm/monitor/wire/wire_set.h"

namespace runsc::monitor {
namespace {

namespace hc = hostcall;
using hc::WireOffload;
using hc::WireRing;

WireFds fds_of(int socket) { return {UniqueFd(socket), UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))}; }

// A ring as a sentry makes it, and a datagram socket where the packet socket would be.
struct PumpFixture {
  static constexpr std::uint64_t kRing = 0x200000, kFrames = 0x300000, kBuffers = 0x400000;

  PumpFixture() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    peer.reset(ends[1]);
    pump = std::make_unique<WirePump>(
        fds_of(ends[0]), guest.memory(), [this] { tells.fetch_add(1); },
        [this](const std::string&) { complaints.fetch_add(1); });
    ring = new (guest.memory().at(kRing)) WireRing{};
    for (std::uint32_t i = 0; i < hc::kWireBuffers; ++i)
      ring->rx_buffers[i] = kBuffers + i * hc::kWireBufferSize;
    ring->rx_offered.store(hc::kWireBuffers);
    ring->rx_notify.store(1);
    REQUIRE(pump->attach(kRing));
  }

  void put(std::uint64_t phys, const std::string& bytes) {
    std::memcpy(guest.memory().at(phys), bytes.data(), bytes.size());
  }
  // A frame of one piece.
  void queue(std::uint64_t phys, std::uint32_t size, WireOffload offload = {}) {
    const std::uint32_t at = ring->tx_filled.load();
    ring->tx[at % hc::kWirePieces] = {phys, size, 0};
    ring->tx_offload[at % hc::kWirePieces] = offload;
    ring->tx_filled.store(at + 1);
  }
  // What the other end got: the header, then the frame. Empty: nothing.
  std::string sent() {
    std::string room(70000, '\0');
    const ssize_t n = ::recv(peer.get(), room.data(), room.size(), 0);
    room.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    return room;
  }
  void deliver(const std::string& frame, VnetHeader header = {}) {
    std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
    bytes += frame;
    REQUIRE(::send(peer.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  }

  testing::TestGuest guest;
  UniqueFd peer;
  std::atomic<int> tells{0}, complaints{0};
  std::unique_ptr<WirePump> pump;
  WireRing* ring = nullptr;
};

std::string frame_of(std::size_t size, char fill) { return std::string(size, fill); }

}  // namespace

TEST_CASE("frames of a ring are sent in their pieces and order", "[monitor][wire]") {
  PumpFixture f;
  f.put(f.kFrames, frame_of(14, 'h'));
  f.put(f.kFrames + 4096, frame_of(100, 'p'));
  f.ring->tx[0] = {f.kFrames, 14, 1};
  f.ring->tx[1] = {f.kFrames + 4096, 100, 0};
  f.ring->tx_offload[0] = {WireOffload::kPartial, WireOffload::none, 0, 0, 34, 16, 0};
  f.ring->tx_filled.store(2);
  f.queue(f.kFrames, 60);
  CHECK(f.pump->step());
  CHECK_FALSE(f.pump->step());
  const std::string first = f.sent();
  REQUIRE(first.size() == sizeof(VnetHeader) + 114);
  VnetHeader header;
  std::memcpy(&header, first.data(), sizeof header);
  CHECK(header.flags == VnetHeader::kNeedsChecksum);
  CHECK(header.csum_start == 34);
  CHECK(header.csum_offset == 16);
  CHECK(first.substr(sizeof header) == frame_of(14, 'h') + frame_of(100, 'p'));
  CHECK(f.sent().size() == sizeof(VnetHeader) + 60);
  CHECK(f.sent().empty());
  CHECK(f.ring->tx_taken.load() == 3);
}

TEST_CASE("frames from outside fill as many buffers as they take, and are told of once", "[monitor][wire]") {
  PumpFixture f;
  f.deliver(frame_of(60, 'a'));
  VnetHeader large{VnetHeader::kNeedsChecksum, VnetHeader::kTcp4, 54, 1448, 34, 16};
  f.deliver(frame_of(9000, 'b'), large);
  f.deliver(frame_of(13, 'c'));  // a runt
  CHECK(f.pump->step());
  CHECK(f.tells.load() == 1);
  REQUIRE(f.ring->rx_filled.load() == 2);
  CHECK(f.ring->rx_frames[0].size == 60);
  CHECK(f.ring->rx_frames[0].offload.flags == 0);
  CHECK(f.ring->rx_frames[1].size == 9000);
  CHECK(f.ring->rx_frames[1].offload.segments == WireOffload::tcp4);
  CHECK(f.ring->rx_frames[1].offload.segment_size == 1448);
  CHECK(f.ring->rx_frames[1].offload.checksum_start == 34);
  const auto* second = f.guest.memory().at(f.kBuffers + hc::kWireBufferSize);
  CHECK(std::string(reinterpret_cast<const char*>(second), 9000) == frame_of(9000, 'b'));
  f.deliver(frame_of(60, 'd'));
  CHECK(f.pump->step());
  CHECK(f.tells.load() == 1);  // nobody has asked again
  f.ring->rx_notify.store(1);
  f.deliver(frame_of(60, 'e'));
  CHECK(f.pump->step());
  CHECK(f.tells.load() == 2);
}

TEST_CASE("without room nothing is taken from the host", "[monitor][wire]") {
  PumpFixture f;
  f.ring->rx_offered.store(hc::kMaxFrameBuffers - 1);
  f.deliver(frame_of(60, 'a'));
  CHECK_FALSE(f.pump->step());
  CHECK_FALSE(f.pump->broken());
  f.ring->rx_offered.store(hc::kMaxFrameBuffers);
  CHECK(f.pump->step());
  CHECK(f.ring->rx_filled.load() == 1);
}

TEST_CASE("rings that lie are left alone", "[monitor][wire]") {
  PumpFixture f;
  const std::uint64_t end = f.guest.memory().limit();
  SECTION("more pieces than there are") { f.ring->tx_filled.store(hc::kWirePieces + 1); }
  SECTION("a count that runs backwards") { f.ring->tx_filled.store(~0U); }
  SECTION("a piece behind the end of RAM") { f.queue(end, 60); }
  SECTION("a piece across the end of RAM") { f.queue(end - 10, 60); }
  SECTION("a piece that wraps around") { f.queue(~std::uint64_t{0} - 10, 60); }
  SECTION("a piece in the file window") { f.queue(hc::kWindowBase, 60); }
  SECTION("a runt") { f.queue(f.kFrames, 13); }
  SECTION("a giant") { f.queue(f.kFrames, hc::kMaxFrame + 1); }
  SECTION("a size that overflows") {
    f.ring->tx[0] = {0, ~0U, 1};
    f.ring->tx[1] = {0, ~0U, 0};
    f.ring->tx_filled.store(2);
  }
  SECTION("a frame without an end") {
    for (auto& piece : f.ring->tx) piece = {f.kFrames, 16, 1};
    f.ring->tx_filled.store(hc::kWirePieces);
  }
  SECTION("a frame that ends behind what is filled") {
    f.ring->tx[0] = {f.kFrames, 60, 1};
    f.ring->tx_filled.store(1);
  }
  SECTION("an offload that cannot be") {
    f.queue(f.kFrames, 60, {WireOffload::kPartial, WireOffload::none, 0, 0, 58, 16, 0});
  }
  SECTION("buffers that were never offered") { f.ring->rx_offered.store(hc::kWireBuffers + 1); }
  SECTION("a buffer that is not a page") {
    f.ring->rx_buffers[3] += 8;
    f.deliver(frame_of(60, 'x'));
  }
  SECTION("a buffer behind the end of RAM") {
    f.ring->rx_buffers[16] = end;
    f.deliver(frame_of(60, 'x'));
  }
  f.pump->step();
  CHECK(f.pump->broken());
  CHECK(f.complaints.load() == 1);
  CHECK(f.sent().empty());
  CHECK(f.ring->tx_taken.load() == 0);
  // It stays so, whatever comes.
  f.ring->tx_filled.store(0);
  CHECK_FALSE(f.pump->step());
}

TEST_CASE("what a sentry says of segments and checksums is judged", "[monitor][wire]") {
  const auto judge = [](WireOffload offload, std::uint64_t size) { return parse_offload(offload, size); };
  CHECK(judge({}, 60));
  CHECK(judge({WireOffload::kPartial, WireOffload::none, 0, 0, 34, 16, 0}, 52));
  CHECK_FALSE(judge({WireOffload::kPartial, WireOffload::none, 0, 0, 34, 17, 0}, 52));
  CHECK_FALSE(judge({WireOffload::kPartial, WireOffload::none, 0, 0, 65535, 65535, 0}, 60));
  CHECK_FALSE(judge({WireOffload::kPartial, WireOffload::none, 0, 0, 0, 16, 0}, 60));
  CHECK_FALSE(judge({0x80, WireOffload::none, 0, 0, 0, 0, 0}, 60));
  CHECK(judge({WireOffload::kPartial, WireOffload::tcp4, 1448, 66, 34, 16, 0}, 9000));
  CHECK_FALSE(judge({0, WireOffload::tcp4, 1448, 66, 34, 16, 0}, 9000));
  CHECK_FALSE(judge({WireOffload::kPartial, WireOffload::tcp4, 0, 66, 34, 16, 0}, 9000));
  CHECK_FALSE(judge({WireOffload::kPartial, WireOffload::tcp4, 1448, 34, 34, 16, 0}, 9000));
  CHECK_FALSE(judge({WireOffload::kPartial, WireOffload::tcp4, 1448, 9000, 34, 16, 0}, 9000));
  CHECK(judge({WireOffload::kPartial, WireOffload::tcp4, 100, 66, 34, 16, 0}, 66 + 12800));
  CHECK_FALSE(judge({WireOffload::kPartial, WireOffload::tcp4, 100, 66, 34, 16, 0}, 66 + 12801));
  CHECK_FALSE(judge({WireOffload::kPartial, WireOffload::udp, 1, 42, 34, 6, 0}, 60000));
  CHECK_FALSE(judge({WireOffload::kPartial, 9, 1448, 66, 34, 16, 0}, 9000));
}

TEST_CASE("a ring has a page to start at, lies in RAM, and is the only one", "[monitor][wire]") {
  PumpFixture f;
  WirePump other(
      fds_of(::dup(f.peer.get())), f.guest.memory(), [] {}, [](const std::string&) {});
  CHECK(other.attach(f.kRing + 64).error() == Errno::inval);
  CHECK(other.attach(f.guest.memory().limit()).error() == Errno::fault);
  CHECK(other.attach(f.guest.memory().limit() - hc::kWireBufferSize).error() == Errno::fault);
  CHECK(other.attach(hc::kWindowBase).error() == Errno::fault);
  CHECK(f.pump->attach(f.kRing).error() == Errno::busy);
}

TEST_CASE("a ring that changes under the monitor's eyes moves nothing but RAM", "[monitor][wire]") {
  PumpFixture f;
  std::atomic<bool> stop{false};
  std::thread scribbler([&] {
    std::mt19937_64 random(1);
    while (!stop.load()) {
      hc::WirePiece& piece = f.ring->tx[random() % 256];
      std::atomic_ref(piece.phys).store(random() % 2 ? f.kFrames : random());
      std::atomic_ref(piece.size).store(static_cast<std::uint32_t>(random() % 2 ? 64 : random()));
      std::atomic_ref(piece.more).store(random() % 4 == 0);
      std::atomic_ref(f.ring->rx_buffers[random() % hc::kWireBuffers])
          .store(random() % 8 ? f.kBuffers : random());
    }
  });
  // A broken pump is let go of and another takes its place: each sees another moment.
  for (int round = 0; round < 200; ++round) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    f.peer.reset(ends[1]);
    WirePump pump(
        fds_of(ends[0]), f.guest.memory(), [] {}, [](const std::string&) {});
    f.ring->tx_filled.store(256);
    REQUIRE(pump.attach(f.kRing));
    f.deliver(frame_of(5000, 'x'));
    while (pump.step() && !pump.broken()) {
      for (std::string frame = f.sent(); !frame.empty(); frame = f.sent())
        CHECK(frame.size() <= sizeof(VnetHeader) + hc::kMaxFrame);
    }
  }
  stop.store(true);
  scribbler.join();
}

TEST_CASE("a pump's thread sleeps until it is kicked, and sends what is left at its end", "[monitor][wire]") {
  PumpFixture f;
  REQUIRE(f.pump->start());
  while (f.ring->asleep.load() == WireRing::awake) std::this_thread::yield();
  f.queue(f.kFrames, 60);
  f.pump->kick();
  while (f.ring->tx_taken.load() != 1) std::this_thread::yield();
  CHECK(f.sent().size() == sizeof(VnetHeader) + 60);
  f.deliver(frame_of(60, 'a'));
  while (f.tells.load() == 0) std::this_thread::yield();
  CHECK(f.ring->rx_filled.load() == 1);
  f.queue(f.kFrames, 60);
  f.pump->stop();
  CHECK(f.sent().size() == sizeof(VnetHeader) + 60);
}

TEST_CASE("a ring that is filled for ever does not keep its pump from ending", "[monitor][wire]") {
  PumpFixture f;
  std::atomic<bool> stop{false};
  f.put(f.kFrames, frame_of(60, 'x'));
  for (auto& piece : f.ring->tx) piece = {f.kFrames, 60, 0};
  std::thread reader([&] {
    while (!stop.load()) (void)f.sent();
  });
  std::thread writer([&] {
    while (!stop.load()) f.ring->tx_filled.store(f.ring->tx_taken.load() + hc::kWirePieces / 2);
  });
  f.pump->stop();
  stop.store(true);
  writer.join();
  reader.join();
  CHECK_FALSE(f.pump->broken());
}

TEST_CASE("wires are known by number, and are as many as have a bit each", "[monitor][wire]") {
  PumpFixture f;
  WireSet set;
  CHECK(set.find(0) == nullptr);
  for (unsigned i = 0; i < hc::kMaxWires; ++i) {
    REQUIRE(set.add(std::make_unique<WirePump>(
        fds_of(::dup(f.peer.get())), f.guest.memory(), [] {}, [](const std::string&) {})));
    CHECK(set.find(i) != nullptr);
    CHECK(set.find(i + 1) == nullptr);
  }
  CHECK(set.add(std::move(f.pump)).error() == Errno::mfile);
}

}  // namespace runsc::monitor
