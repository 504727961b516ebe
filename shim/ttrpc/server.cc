#include "shim/ttrpc/server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <vector>

#include "shim/base/log.h"

namespace runsc::shim {
namespace {

constexpr size_t kMaxConnections = 64;
// Unanswered requests of one connection, but for Wait.
constexpr size_t kMaxRequests = 4096;
// Answers that a client does not fetch.
constexpr size_t kMaxQueuedBytes = 32u << 20;

using Socket = asio::local::stream_protocol::socket;

bool may_connect(Socket& socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

}  // namespace

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Server& server, asio::io_context& loop, Socket socket)
      : server_(server), loop_(loop), socket_(std::move(socket)), queued_(loop), sent_(loop) {}

  static Async<void> read_loop(std::shared_ptr<Connection> self) {
    std::array<char, 16384> chunk;
    FrameReader reader;
    for (;;) {
      boost::system::error_code error;
      const size_t got = co_await self->socket_.async_read_some(
          asio::buffer(chunk), asio::redirect_error(asio::use_awaitable, error));
      if (error) break;
      reader.feed(std::string_view(chunk.data(), got));
      while (std::optional<Frame> frame = reader.next()) self->take(*frame);
    }
    self->close();
  }

  static Async<void> write_loop(std::shared_ptr<Connection> self) {
    while (!self->closed_) {
      if (self->queue_.empty()) {
        self->sent_.set();
        self->queued_ = Event(self->loop_);
        co_await self->queued_.wait();
        continue;
      }
      const std::string bytes = std::move(self->queue_.front());
      self->queue_.pop_front();
      boost::system::error_code error;
      co_await asio::async_write(self->socket_, asio::buffer(bytes),
                                 asio::redirect_error(asio::use_awaitable, error));
      self->queued_bytes_ -= bytes.size();
      if (error) self->close();
    }
    self->sent_.set();
  }

  Async<void> wait_until_sent() { co_await sent_.wait_for(std::chrono::seconds(1)); }

 private:
  void take(const Frame& frame) {
    Result<std::optional<::ttrpc::Request>> request = filter_.accept(frame);
    if (!request) {
      log_warning("refused a ttrpc message: {}", request.error().message);
      send(frame.stream, std::unexpected(request.error()));
    } else if (*request && counts(**request) && open_requests_ >= kMaxRequests) {
      send(frame.stream, refuse(Code::resource_exhausted, "too many requests are open on this connection"));
    } else if (*request) {
      if (counts(**request)) ++open_requests_;
      detach(loop_, "request", serve(shared_from_this(), frame.stream, std::move(**request)));
    }
  }

  static Async<void> serve(std::shared_ptr<Connection> self, uint32_t stream, ::ttrpc::Request request) {
    const bool counted = counts(request);
    const auto answered = std::make_shared<bool>(false);
    const Event done(self->loop_);
    if (request.timeout_nano() > 0)
      detach(self->loop_, "deadline", expire(self, stream, request.timeout_nano(), done, answered));
    const Result<std::string> answer = co_await self->server_.answer(std::move(request));
    if (counted) --self->open_requests_;
    Event(done).set();
    if (!std::exchange(*answered, true)) self->send(stream, answer);
  }

  // The client does not wait longer; what it asked for is done nevertheless.
  static Async<void> expire(std::shared_ptr<Connection> self, uint32_t stream, int64_t nanoseconds,
                            Event done, std::shared_ptr<bool> answered) {
    constexpr int64_t kLongest = int64_t{1'000'000} * 1'000'000'000;
    if (co_await done.wait_for(std::chrono::nanoseconds(std::min(nanoseconds, kLongest)))) co_return;
    if (!std::exchange(*answered, true))
      self->send(stream, refuse(Code::deadline_exceeded, "not done within the time that the caller gave"));
  }

  // Wait costs nothing and may stay as long as its container.
  static bool counts(const ::ttrpc::Request& request) { return request.method() != "Wait"; }

  void send(uint32_t stream, const Result<std::string>& answer) {
    if (closed_) return;
    if (queued_bytes_ > kMaxQueuedBytes) return close();
    queue_.push_back(make_response(stream, answer));
    queued_bytes_ += queue_.back().size();
    sent_ = Event(loop_);
    queued_.set();
  }

  void close() {
    if (std::exchange(closed_, true)) return;
    boost::system::error_code ignored;
    socket_.close(ignored);
    queued_.set();
    server_.connections_.erase(shared_from_this());
  }

  Server& server_;
  asio::io_context& loop_;
  Socket socket_;
  RequestFilter filter_;
  std::deque<std::string> queue_;
  size_t queued_bytes_ = 0;
  size_t open_requests_ = 0;
  bool closed_ = false;
  Event queued_;  // something is in the queue, or the connection ended
  Event sent_;    // the queue is empty and written
};

Server::Server(asio::io_context& loop, oci::UniqueFd listener, RequestHandler handler)
    : loop_(loop),
      acceptor_(loop, asio::local::stream_protocol(), listener.release()),
      handler_(std::move(handler)) {}

Server::~Server() = default;

void Server::start() { detach(loop_, "accept", accept_loop()); }

Async<void> Server::accept_loop() {
  while (acceptor_.is_open()) {
    boost::system::error_code error;
    Socket socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::operation_aborted) break;
    if (error) {
      // Out of descriptors or memory: those who wait are served when some are free again.
      log_warning("accept: {}", error.message());
      co_await sleep_for(loop_, std::chrono::milliseconds(200));
      continue;
    }
    admit(std::move(socket));
  }
}

void Server::admit(Socket socket) {
  if (connections_.size() >= kMaxConnections || !may_connect(socket)) {
    log_warning("refused a connection");
    return;
  }
  const auto connection = std::make_shared<Connection>(*this, loop_, std::move(socket));
  connections_.insert(connection);
  detach(loop_, "connection", Connection::read_loop(connection));
  detach(loop_, "connection", Connection::write_loop(connection));
}

Async<Result<std::string>> Server::answer(::ttrpc::Request request) {
  std::string trouble;
  try {
    co_return co_await handler_(std::move(request));
  } catch (const std::exception& exception) {
    trouble = exception.what();
  }
  log_error("request: {}", trouble);
  co_return refuse(Code::internal, std::move(trouble));
}

Async<void> Server::stop() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  const std::vector<std::shared_ptr<Connection>> open(connections_.begin(), connections_.end());
  for (const std::shared_ptr<Connection>& connection : open) co_await connection->wait_until_sent();
}

}  // namespace runsc::shim
