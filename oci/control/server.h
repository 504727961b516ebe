// Host only. The sandbox process's side of the control socket; also hands on the signals that the process
// gets. Lives in the jail: it opens nothing, and trusts no peer to speak sense.
#pragma once

#include <poll.h>

#include <list>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "kvm/monitor/sandbox.h"
#include "oci/host/error.h"
#include "oci/host/unique_fd.h"
#include "oci/spec/spec.h"

namespace runsc::oci {

struct ControlFds {
  UniqueFd signals;   // signalfd(2)
  UniqueFd socket;    // bound; protocol.h
  int terminal = -1;  // of the container's init; borrowed
  int report = -1;    // where "ready" goes; borrowed
};

class ControlServer {
 public:
  ControlServer(monitor::Sandbox& sandbox, ControlFds fds) : sandbox_(sandbox), fds_(std::move(fds)) {}
  // Starts the one thread, which lives as long as the process.
  Expected<void> start();
  // After the container's end, before the process's: tells everybody who waits.
  void finish(int wait_status);
  // Instead, when the sandbox failed.
  void finish(const std::string& error);

 private:
  struct Connection {
    UniqueFd fd;
    uint32_t command = 0;  // whose answer is waited for
    uint32_t process = 0;  // what exec started
    bool stays = false;    // after the answer: exec, wait
    bool signals = false;  // the command is a signal: the container's end is no failure of it
    bool waits = false;    // for the init's end
    bool closed = false;
    std::list<std::string> output;  // what did not fit into the socket yet
  };
  using Connections = std::list<Connection>;

  static void* thread_main(void* self);
  void serve();
  void serve_once(std::vector<pollfd>& polls);
  void take_signal();
  void take_datagram();
  void take_request(Connection& connection);
  void take_notices();
  void take_answer(const monitor::Notice& notice);
  void take_end(const monitor::Notice& notice);
  void obey(Connection& connection, const std::string& text, std::vector<UniqueFd> fds);
  void execute(Connection& connection, const WindowSize& size, std::vector<UniqueFd> fds);
  void submit(Connection& connection, monitor::Command command);
  void send(Connection& connection, std::string message);
  void refuse(Connection& connection, const std::string& error, uint32_t status = kExitError);
  void flush(Connection& connection);
  void drop_closed();

  monitor::Sandbox& sandbox_;
  ControlFds fds_;
  std::mutex mutex_;  // all below; held by the thread but for its waits
  Connections connections_;
  uint32_t last_process_ = 0;
};

}  // namespace runsc::oci
