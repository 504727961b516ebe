// Host only. The events of the shim, on their way to containerd.
#pragma once

#include <chrono>
#include <deque>
#include <string>

#include "shim/base/async.h"
#include "shim/base/status.h"

namespace runsc::shim {

class EventSink {
 public:
  EventSink() = default;
  EventSink(const EventSink&) = delete;
  EventSink& operator=(const EventSink&) = delete;
  virtual ~EventSink() = default;

  // Events reach containerd in the order of these calls.
  virtual void publish(std::string topic, std::string type, std::string value) = 0;

  template <typename Message>
  void publish(std::string topic, const Message& message) {
    publish(std::move(topic), message.GetTypeName(), message.SerializeAsString());
  }
};

// Sends events one after another over containerd's ttrpc socket. While containerd is away they wait, the
// oldest are dropped when there are too many.
class Publisher : public EventSink {
 public:
  // An empty `address`: events go nowhere. Must outlive the loop's run().
  Publisher(asio::io_context& loop, std::string address, std::string name_space);

  using EventSink::publish;
  void publish(std::string topic, std::string type, std::string value) override;
  void start();
  // Until all are sent, or the time is up.
  Async<void> flush(std::chrono::steady_clock::duration limit);

 private:
  struct Waiting {
    std::string request;  // bytes of a ttrpc Request
    std::string topic;
  };

  Async<void> run();

  asio::io_context& loop_;
  std::string address_;
  std::string namespace_;
  std::deque<Waiting> queue_;
  Event queued_;
  Event empty_;
};

}  // namespace runsc::shim
