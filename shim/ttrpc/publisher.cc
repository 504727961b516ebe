#include "shim/ttrpc/publisher.h"

#include <sys/un.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <optional>

#include "event_service.pb.h"
#include "shim/base/log.h"
#include "shim/base/wire_time.h"
#include "shim/ttrpc/frame.h"

namespace runsc::shim {
namespace {

using Socket = asio::local::stream_protocol::socket;

constexpr size_t kMaxWaiting = 4096;
constexpr std::chrono::seconds kAnswerLimit{10};

// One connection, one request at a time. Any failure of the transport ends it.
class Client {
 public:
  explicit Client(asio::io_context& loop) : loop_(loop) {}

  // The answer; Code::unavailable: there is no connection (any more).
  Async<Result<std::string>> call(const std::string& address, const std::string& request) {
    if (!socket_) {
      boost::system::error_code error;
      Socket socket(loop_);
      co_await socket.async_connect(asio::local::stream_protocol::endpoint(address),
                                    asio::redirect_error(asio::use_awaitable, error));
      if (error) co_return refuse(Code::unavailable, error.message());
      socket_.emplace(std::move(socket));
      reader_ = FrameReader();
      stream_ = 1;
    }
    Result<std::string> answer = co_await exchange(request);
    if (!answer && answer.error().code == Code::unavailable) socket_.reset();
    co_return answer;
  }

 private:
  Async<Result<std::string>> exchange(const std::string& request) {
    const uint32_t stream = std::exchange(stream_, stream_ + 2);
    const std::string bytes = make_frame(stream, kFrameRequest, request);
    boost::system::error_code error;
    // A peer that does not answer in time loses the connection, which ends the operation under way.
    asio::steady_timer limit(loop_, kAnswerLimit);
    const auto alive = std::make_shared<bool>(true);
    limit.async_wait([this, alive](const boost::system::error_code& cancelled) {
      if (cancelled || !*alive || !socket_) return;
      boost::system::error_code ignored;
      socket_->close(ignored);
    });
    Result<std::string> answer = co_await transact(stream, bytes);
    *alive = false;
    co_return answer;
  }

  Async<Result<std::string>> transact(uint32_t stream, const std::string& bytes) {
    boost::system::error_code error;
    co_await asio::async_write(*socket_, asio::buffer(bytes),
                               asio::redirect_error(asio::use_awaitable, error));
    std::array<char, 4096> chunk;
    while (!error) {
      const size_t got = co_await socket_->async_read_some(asio::buffer(chunk),
                                                           asio::redirect_error(asio::use_awaitable, error));
      if (error) break;
      reader_.feed(std::string_view(chunk.data(), got));
      while (const std::optional<Frame> frame = reader_.next()) {
        if (frame->type == kFrameResponse && frame->stream == stream) co_return read_response(*frame);
      }
    }
    co_return refuse(Code::unavailable, error.message());
  }

  asio::io_context& loop_;
  std::optional<Socket> socket_;
  FrameReader reader_;
  uint32_t stream_ = 1;
};

}  // namespace

Publisher::Publisher(asio::io_context& loop, std::string address, std::string name_space)
    : loop_(loop),
      address_(std::move(address)),
      namespace_(std::move(name_space)),
      queued_(loop),
      empty_(loop) {
  if (address_.starts_with("unix://")) address_.erase(0, 7);
  if (address_.size() >= sizeof(sockaddr_un::sun_path)) {
    log_error("the address for events is too long: {}", address_);
    address_.clear();
  }
  empty_.set();
}

void Publisher::publish(std::string topic, std::string type, std::string value) {
  log_debug("event {}", topic);
  if (address_.empty()) return;
  ::containerd::services::events::ttrpc::v1::ForwardRequest forward;
  ::containerd::types::Envelope& envelope = *forward.mutable_envelope();
  *envelope.mutable_timestamp() = to_wire(std::chrono::system_clock::now());
  envelope.set_namespace_(namespace_);
  envelope.set_topic(topic);
  envelope.mutable_event()->set_type_url(std::move(type));
  envelope.mutable_event()->set_value(std::move(value));

  ::ttrpc::Request request;
  request.set_service("containerd.services.events.ttrpc.v1.Events");
  request.set_method("Forward");
  request.set_payload(forward.SerializeAsString());
  request.set_timeout_nano(std::chrono::nanoseconds(kAnswerLimit).count());
  ::ttrpc::KeyValue& header = *request.add_metadata();
  header.set_key("containerd-namespace-ttrpc");
  header.set_value(namespace_);
  if (queue_.size() >= kMaxWaiting) {
    log_error("too many events wait for containerd: {} is lost", queue_.front().topic);
    queue_.pop_front();
  }
  queue_.push_back({request.SerializeAsString(), std::move(topic)});
  if (empty_.is_set()) empty_ = Event(loop_);
  queued_.set();
}

void Publisher::start() { detach(loop_, "publisher", run()); }

Async<void> Publisher::flush(std::chrono::steady_clock::duration limit) { co_await empty_.wait_for(limit); }

Async<void> Publisher::run() {
  constexpr std::chrono::milliseconds kFirstPause{50};
  constexpr std::chrono::milliseconds kLongestPause{2000};
  Client client(loop_);
  std::chrono::milliseconds pause = kFirstPause;
  for (;;) {
    if (queue_.empty()) {
      empty_.set();
      queued_ = Event(loop_);
      co_await queued_.wait();
      continue;
    }
    // A copy: the queue may lose its front while this waits.
    const Waiting waiting = queue_.front();
    const Result<std::string> answer = co_await client.call(address_, waiting.request);
    if (!answer && answer.error().code == Code::unavailable) {
      log_debug("event {} waits: {}", waiting.topic, answer.error().message);
      co_await sleep_for(loop_, pause);
      pause = std::min(pause * 2, kLongestPause);
      continue;
    }
    pause = kFirstPause;
    if (!answer) log_error("containerd refused event {}: {}", waiting.topic, answer.error().message);
    if (!queue_.empty() && queue_.front().request == waiting.request) queue_.pop_front();
  }
}

}  // namespace runsc::shim
