// The server with a client that speaks frames by hand.
#include "shim/ttrpc/server.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <map>

#include "shim/cli/address.h"

using namespace runsc::shim;
namespace oci = runsc::oci;

namespace {

class Peer {
 public:
  Peer() : never_(loop_) {
    char name[] = "/tmp/shim-test.XXXXXX";
    folder_ = ::mkdtemp(name);
    const std::string path = folder_ + "/s";
    oci::Expected<oci::UniqueFd> listener = listen_at(path);
    REQUIRE(listener);
    server_.emplace(loop_, std::move(*listener),
                    [this](::ttrpc::Request request) { return serve(std::move(request)); });
    server_->start();
    fd_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    REQUIRE(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  Peer(const Peer&) = delete;
  ~Peer() { std::filesystem::remove_all(folder_); }

  // Its stream.
  uint32_t ask(const std::string& method, std::chrono::nanoseconds timeout = {}) {
    ::ttrpc::Request request;
    request.set_method(method);
    request.set_timeout_nano(timeout.count());
    const std::string bytes = make_frame(next_ += 2, kFrameRequest, request.SerializeAsString());
    REQUIRE(::send(fd_.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    loop_.poll();
    return next_;
  }

  Result<std::string> answer_to(uint32_t stream) {
    for (;;) {
      if (const auto found = answers_.find(stream); found != answers_.end()) return found->second;
      loop_.run_for(std::chrono::milliseconds(10));
      char chunk[4096];
      const ssize_t got = ::recv(fd_.get(), chunk, sizeof chunk, MSG_DONTWAIT);
      if (got <= 0) continue;
      reader_.feed(std::string_view(chunk, static_cast<size_t>(got)));
      while (const std::optional<Frame> frame = reader_.next())
        answers_.emplace(frame->stream, read_response(*frame));
    }
  }

 private:
  Async<Result<std::string>> serve(::ttrpc::Request request) {
    if (request.method() == "Quick") co_return std::string("done");
    co_await never_.wait();
    co_return std::string();
  }

  asio::io_context loop_{1};
  Event never_;
  std::string folder_;
  std::optional<Server> server_;
  oci::UniqueFd fd_;
  FrameReader reader_;
  std::map<uint32_t, Result<std::string>> answers_;
  uint32_t next_ = UINT32_MAX;  // the first is 1
};

}  // namespace

TEST_CASE("a request that is not done in time is answered so, and not again", "[shim]") {
  Peer peer;
  const uint32_t slow = peer.ask("Slow", std::chrono::milliseconds(5));
  const uint32_t quick = peer.ask("Quick", std::chrono::hours(1));
  CHECK(peer.answer_to(quick) == std::string("done"));
  const Result<std::string> late = peer.answer_to(slow);
  REQUIRE_FALSE(late);
  CHECK(late.error().code == Code::deadline_exceeded);
}

TEST_CASE("those who wait take no room from others", "[shim]") {
  constexpr int kMoreThanAllowed = 4100;
  Peer waiting;
  for (int i = 0; i < kMoreThanAllowed; ++i) waiting.ask("Wait");
  CHECK(waiting.answer_to(waiting.ask("Quick")) == std::string("done"));
  Peer busy;
  for (int i = 0; i < kMoreThanAllowed; ++i) busy.ask("Slow");
  const Result<std::string> refused = busy.answer_to(busy.ask("Quick"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::resource_exhausted);
}
