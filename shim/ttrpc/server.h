// Host only. A ttrpc server on a Unix socket.
#pragma once

#include <boost/asio/local/stream_protocol.hpp>
#include <functional>
#include <memory>
#include <unordered_set>

#include "oci/host/unique_fd.h"
#include "shim/base/async.h"
#include "shim/ttrpc/frame.h"

namespace runsc::shim {

class Connection;

// Answers a request with the bytes of its answer. May take its time: others are served meanwhile.
using RequestHandler = std::function<Async<Result<std::string>>(::ttrpc::Request)>;

class Server {
 public:
  // `listener` is a listening Unix socket. The server must outlive the loop's run().
  Server(asio::io_context& loop, oci::UniqueFd listener, RequestHandler handler);
  ~Server();

  void start();
  // No more connections; waits until what was answered so far is with the clients, or a second.
  Async<void> stop();

 private:
  friend class Connection;

  Async<void> accept_loop();
  void admit(asio::local::stream_protocol::socket socket);
  // No exception leaves a request.
  Async<Result<std::string>> answer(::ttrpc::Request request);

  asio::io_context& loop_;
  asio::local::stream_protocol::acceptor acceptor_;
  RequestHandler handler_;
  std::unordered_set<std::shared_ptr<Connection>> connections_;
};

}  // namespace runsc::shim
