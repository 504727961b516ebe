// Host only. The sandbox process's side of the control socket; also hands on the signals that the process
// gets. Lives in the jail: it opens nothing, and trusts no peer to speak sense.
#pragma once

#include <poll.h>
#include <sys/types.h>
#include <unistd.h>

#include <list>
#include <map>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
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
  UniqueFd lifeline;  // oci/sandbox/lifeline.h
  UniqueFd terminal;  // of the container's init, if it has one
  int report = -1;    // where "ready" goes; borrowed
  UniqueFd claim;     // on the network namespace whose interfaces the sandbox has: its until the process ends
};

class ControlServer {
 public:
  // What the sandbox waits for.
  struct Waits {
    bool start = false;    // its init is to be told
    bool network = false;  // interfaces may come before that
  };
  // `id`: of the container that the sandbox starts and ends with. Before the jail: it asks for its own pid.
  ControlServer(monitor::Sandbox& sandbox, std::string id, ControlFds fds, Waits waits)
      : sandbox_(sandbox), pid_(::getpid()), fds_(std::move(fds)), awaits_network_(waits.network) {
    containers_.emplace(std::move(id), KnownContainer{hostcall::kFirstContainer, !waits.start, false});
  }
  // Starts the one thread, which lives as long as the process.
  Expected<void> start();
  // After the container's end, before the process's: tells everybody who waits.
  void finish(int wait_status);
  // Instead, when the sandbox failed.
  void finish(const std::string& error);

 private:
  struct Connection {
    UniqueFd fd;
    uint32_t command = 0;                     // whose answer is waited for
    uint32_t process = 0;                     // what exec or create started
    hostcall::ContainerNumber container = 0;  // whose process that is
    pid_t pid = 0;                            // who stands for it on the host
    bool stood = false;                       // it has stood for a process, which may have ended
    bool stays = false;                       // after the answer: exec, create, wait
    bool signals = false;  // the command is a signal: the container's end is no failure of it
    bool lists = false;    // the command asks for processes
    std::optional<hostcall::ContainerNumber> waits;  // for the end of its init
    bool listens = false;                            // and for its shortages of memory
    bool closed = false;
    std::list<std::string> output;  // what did not fit into the socket yet
  };
  using Connections = std::list<Connection>;
  struct KnownContainer {
    hostcall::ContainerNumber number = 0;
    bool started = false, paused = false;
    const char* status() const { return paused ? "paused" : started ? "running" : "created"; }
  };
  // What a container becomes when a command was obeyed, whoever waits for the answer.
  struct Change {
    hostcall::ContainerNumber container = 0;
    hostcall::CommandKind kind{};
  };

  static void* thread_main(void* self);
  void serve();
  void serve_once(std::vector<pollfd>& polls);
  void take_signal();
  void take_datagram();
  void take_request(Connection& connection);
  void take_lifeline();
  void changed(const Change& change);
  void take_notices();
  void take_answer(const monitor::Notice& notice);
  void take_end(const monitor::Notice& notice);
  void take_shortage(const monitor::Notice& notice);
  void obey(Connection& connection, const std::string& text, std::vector<UniqueFd> fds);
  void obey_for(Connection& connection, hostcall::ContainerNumber container, const std::string& name,
                const nlohmann::json& request, std::vector<UniqueFd> fds);
  void create(Connection& connection, const nlohmann::json& request, std::vector<UniqueFd> fds);
  void execute(Connection& connection, hostcall::ContainerNumber container, const nlohmann::json& request,
               std::vector<UniqueFd> fds);
  void take_network(Connection& connection, std::vector<UniqueFd> fds);
  void signal(Connection& connection, hostcall::ContainerNumber container, const nlohmann::json& request);
  void update(Connection& connection, hostcall::ContainerNumber container, const nlohmann::json& request);
  // Its process gets a number, and goes when the connection does.
  void stand_for(Connection& connection, const nlohmann::json& request);
  void submit(Connection& connection, monitor::Command command);
  // The same, for start, pause and resume.
  void change(Connection& connection, hostcall::ContainerNumber container, hostcall::CommandKind kind);
  // A container that is no more.
  void forget(hostcall::ContainerNumber container);
  void send(Connection& connection, std::string message);
  void refuse(Connection& connection, const std::string& error, uint32_t status = kExitError);
  void flush(Connection& connection);
  void drop_closed();

  monitor::Sandbox& sandbox_;
  const pid_t pid_;
  ControlFds fds_;
  std::mutex mutex_;  // all below; held by the thread but for its waits
  Connections connections_;
  std::map<std::string, KnownContainer> containers_;  // by their ids
  std::map<uint32_t, monitor::Donation> donations_;   // for commands without an answer yet
  std::map<uint32_t, Change> changes_;                // by the commands that bring them about
  uint32_t last_process_ = 0;
  bool awaits_network_;
};

}  // namespace runsc::oci
