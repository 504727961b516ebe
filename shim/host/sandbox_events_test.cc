// What the sandbox tells, from a sandbox that is slow to listen and one that does not stop talking.
#include "shim/host/sandbox_events.h"

#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "oci/control/client.h"

using namespace runsc::shim;
namespace oci = runsc::oci;

namespace {

class Sandbox {
 public:
  Sandbox() {
    char name[] = "/tmp/shim-test.XXXXXX";
    root_ = ::mkdtemp(name);
    std::filesystem::create_directory(root_ + "/c");
    std::ofstream(root_ + "/c/state.json") << "{}";
    oci::Expected<oci::UniqueFd> socket = oci::make_control_socket(root_ + "/c");
    REQUIRE(socket);
    socket_ = std::move(*socket);
  }
  Sandbox(const Sandbox&) = delete;
  ~Sandbox() { std::filesystem::remove_all(root_); }

  const std::string& root() const { return root_; }
  // As many requests as are taken without anybody reading them.
  void fill() {
    for (;;) {
      auto client = oci::ControlClient::try_send(root_ + "/c", {{"op", "status"}});
      REQUIRE(client);
      if (!*client) return;
      others_.push_back(std::move(**client));
    }
  }
  // The connection of the next request, if there is one; `text` is the request.
  oci::UniqueFd take(std::string& text) {
    char bytes[4096];
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    iovec part{bytes, sizeof bytes};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0) return {};
    text.assign(bytes, static_cast<size_t>(got));
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return oci::UniqueFd(fd);
  }

 private:
  std::string root_;
  oci::UniqueFd socket_;
  std::vector<oci::ControlClient> others_;
};

}  // namespace

TEST_CASE("a sandbox that does not take requests yet holds nobody up, and is asked again", "[shim]") {
  Sandbox sandbox;
  sandbox.fill();
  asio::io_context loop;
  const auto before = std::chrono::steady_clock::now();
  auto events = SandboxEvents::start(loop, sandbox.root(), "c", [] {});
  REQUIRE(events);
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(10));
  std::string text;
  oci::UniqueFd connection;
  while (text.find("events") == std::string::npos) {
    while ((connection = sandbox.take(text)) && text.find("events") == std::string::npos) {
    }
    if (text.find("events") == std::string::npos) loop.run_one();
  }
  (*events)->stop();
  loop.run();
}

TEST_CASE("a sandbox that does not stop talking is listened to in turns", "[shim]") {
  Sandbox sandbox;
  asio::io_context loop;
  int heard = 0, told = 0;
  std::string text;
  oci::UniqueFd connection;
  const auto tell = [&] {
    constexpr std::string_view kOom = "{\"oom\":true}";
    while (connection && ::send(connection.get(), kOom.data(), kOom.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
      ++told;
  };
  auto events = SandboxEvents::start(loop, sandbox.root(), "c", [&] {
    ++heard;
    if (heard < 2000) tell();
  });
  REQUIRE(events);
  connection = sandbox.take(text);
  REQUIRE(connection);
  tell();
  (*events)->catch_up();
  CHECK(heard > 0);
  CHECK(heard <= 256);
  while (heard < 2000) loop.run_one();
  (*events)->stop();
  loop.run();
  CHECK(heard <= told);
}
